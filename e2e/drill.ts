import { rm } from 'node:fs/promises'
import { check, finish, needed, Needed } from './checks.ts'
import { alarms } from './drill/alerts.ts'
import { newClients } from './drill/clients.ts'
import { hangUp } from './drill/edge.ts'
import { FAULTS } from './drill/faults.ts'
import { install, type Source } from './drill/platform.ts'
import { space } from './drill/release.ts'
import { writeFaults } from './drill/reliability.ts'
import { restoreExercise } from './drill/restore.ts'
import { checked, measure, type Row } from './drill/row.ts'
import { Helm, packCharts } from './helm.ts'

/**
 * `make drill`: what goes wrong in production, done on purpose on a real cluster while clients go on, and
 * a restore. It writes its figures into docs/reliability.md and docs/runbooks/restore.md.
 *
 *     node e2e/drill.ts                    everything
 *     node e2e/drill.ts redis restore      these alone; the pages stay as they are
 *     node e2e/drill.ts redis alerts       what must alert, too
 */

const wanted = process.argv.slice(2)
const isAll = wanted.length === 0

async function faults(source: Source) {
  const names = Object.keys(FAULTS).filter((name) => isAll || wanted.includes(name))
  if (names.length === 0 && !wanted.includes('alerts')) return
  await space.create()
  await needed('the platform is installed, three instances of each database', () =>
    install(source, 'faults.yaml'),
  )
  const clients = await newClients()
  const rows: Row[] = []
  await Promise.all([clients.load.start(), clients.leavers.start()])
  try {
    for (const name of names) rows.push(...(await row(name, source, clients)))
    if (isAll || wanted.includes('alerts')) await alarms(clients)
  } finally {
    await Promise.all([clients.load.stop(), clients.leavers.stop()])
  }
  if (isAll && rows.length === names.length) await writeFaults(rows)
}

async function row(name: string, source: Source, clients: Awaited<ReturnType<typeof newClients>>) {
  const fault = FAULTS[name]
  const rows: Row[] = []
  await check(fault?.what ?? name, async () => {
    if (!fault) throw new Error(`there is no fault ${name}`)
    const measured = await measure(fault, clients, source)
    const found = await checked(measured, clients.journal, clients.owner())
    rows.push(found)
    const { requests, failed, failedAgain, longestMs, gapMs, leaving } = found
    const figures = `${requests} requests, ${failed} failed, ${failedAgain} after one retry, longest ${longestMs} ms, writes stood still ${gapMs} ms, ${leaving.logouts} logouts, a token last taken ${leaving.takenMs} ms after`
    if (!found.passed) throw new Error(`${figures}\n${found.problems.join('\n')}`)
    return figures
  })
  return rows
}

/** All of it takes about twenty minutes; what takes much longer hangs. */
const LIMIT_MS = 45 * 60_000

/** Leaves nothing behind, whatever is under way. */
async function leave(why: string, charts: string) {
  console.log(`${why}: taking everything away`)
  await space.remove().catch(() => undefined)
  await rm(charts, { recursive: true, force: true })
  process.exit(1)
}

async function main() {
  const [helm] = await Helm.all()
  if (!helm) throw new Error('helm is not on the PATH')
  const charts = await packCharts()
  const source = { helm, charts }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void leave(signal, charts))
  const late = `not done within ${LIMIT_MS / 60_000} minutes`
  setTimeout(() => void leave(late, charts), LIMIT_MS).unref()
  try {
    await faults(source)
    if (isAll || wanted.includes('restore')) await restoreExercise(source, isAll)
  } catch (error) {
    if (!(error instanceof Needed))
      await check('the drill goes through', () => Promise.reject(error))
  } finally {
    await space.remove()
    await rm(charts, { recursive: true, force: true })
    hangUp()
    finish()
  }
}

await main()
