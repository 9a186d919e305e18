import { rm } from 'node:fs/promises'
import { check, finish, mustPass, MustPassError } from './checks.ts'
import { checkIncidents } from './drill/alerts.ts'
import { newClients } from './drill/clients.ts'
import { closeConnections } from './drill/http.ts'
import { FAULTS } from './drill/faults.ts'
import { install, type Source } from './drill/install.ts'
import { namespace } from './drill/release.ts'
import { writeFaults } from './drill/reliability.ts'
import { restoreExercise } from './drill/restore.ts'
import { notificationRows } from './drill/notifications.ts'
import { providerRows } from './drill/providers.ts'
import { withoutQueryLimit } from './drill/providers/simulator.ts'
import { verified, measure, type Measurement } from './drill/measurement.ts'
import { Helm, packCharts } from './helm.ts'

/**
 * `make drill`: injects faults on a real cluster under load, and restores the databases from backups. It writes its
 * measurements into docs/reliability.md and docs/runbooks/restore.md.
 *
 *     node e2e/drill.ts                    everything
 *     node e2e/drill.ts redis restore      only these; the pages are not updated
 *     node e2e/drill.ts redis alerts       a fault, and the incidents that must alert
 *     node e2e/drill.ts providers          the rows with payments at the simulator
 *     node e2e/drill.ts notifications      the rows with notifications to a server of merchants
 */

const wanted = process.argv.slice(2)
const isAll = wanted.length === 0

async function faults(source: Source) {
  const names = Object.keys(FAULTS).filter((name) => isAll || wanted.includes(name))
  if (names.length === 0 && !wanted.includes('alerts')) return
  await namespace.create()
  await mustPass('installs the platform with three instances of each database', () =>
    install(source, 'faults.yaml'),
  )
  const clients = await newClients()
  const measurements: Measurement[] = []
  await Promise.all([clients.load.start(), clients.logouts.start()])
  try {
    for (const name of names) measurements.push(...(await measureFault(name, source, clients)))
    if (isAll || wanted.includes('alerts')) await checkIncidents(clients)
  } finally {
    await Promise.all([clients.load.stop(), clients.logouts.stop()])
  }
  if (isAll && measurements.length === names.length) await writeFaults(measurements)
}

async function measureFault(
  name: string,
  source: Source,
  clients: Awaited<ReturnType<typeof newClients>>,
) {
  const fault = FAULTS[name]
  const measurements: Measurement[] = []
  await check(fault?.title ?? name, async () => {
    if (!fault) throw new Error(`unknown fault ${name}: use ${Object.keys(FAULTS).join(', ')}`)
    const measured = await measure(fault, clients, source)
    const result = await verified(measured, clients.journal, clients.owner())
    measurements.push(result)
    const { requests, failed, failedAfterRetry, longestMs, writeGapMs, logouts } = result
    const figures = `${requests} requests, ${failed} failed, ${failedAfterRetry} after one retry, longest response ${longestMs} ms, longest write gap ${writeGapMs} ms, ${logouts.logouts} logouts, a revoked token last accepted after ${logouts.lastAcceptedMs} ms`
    if (!result.passed) throw new Error(`${figures}\n${result.problems.join('\n')}`)
    return figures
  })
  return measurements
}

/** The drill normally takes about fifty minutes. */
const LIMIT_MS = 90 * 60_000

/** Deletes everything and exits, at any time. */
async function abort(why: string, charts: string) {
  console.log(`${why}: cleaning up`)
  await namespace.remove().catch(() => undefined)
  await rm(charts, { recursive: true, force: true })
  process.exit(1)
}

async function main() {
  const [helm] = await Helm.all()
  if (!helm) throw new Error('helm is not on the PATH')
  const charts = await packCharts(withoutQueryLimit)
  const source = { helm, charts }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void abort(signal, charts))
  const timedOut = `not finished within ${LIMIT_MS / 60_000} minutes`
  setTimeout(() => void abort(timedOut, charts), LIMIT_MS).unref()
  try {
    await faults(source)
    await providerRows(source, wanted, isAll)
    await notificationRows(source, wanted, isAll)
    if (isAll || wanted.includes('restore')) await restoreExercise(source, isAll)
  } catch (error) {
    if (!(error instanceof MustPassError))
      await check('the drill finishes', () => Promise.reject(error))
  } finally {
    await namespace.remove()
    await rm(charts, { recursive: true, force: true })
    closeConnections()
    finish()
  }
}

await main()
