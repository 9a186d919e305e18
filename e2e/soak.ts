/**
 * `make soak`: creates payments at the simulator over all adapters, while servers and replicas fail, and compares every
 * payment with the simulator's book, and every notification with what servers of merchants received:
 * docs/reliability.md.
 *
 *     SEED=1 COUNT=10000 node e2e/soak.ts    RATE=40 payments a second at most
 *     WRITE=1 node e2e/soak.ts               also writes the summary into the section of its seed in docs/reliability.md
 *
 * Ends with `N passed, N failed`.
 */
import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Book, readFrom } from './charges/book.ts'
import { Draw } from './charges/draw.ts'
import { Driver } from './charges/driver.ts'
import { check, finish, mustPass, MustPassError } from './checks.ts'
import { updateSection } from './drill/docs-page.ts'
import { closeConnections } from './drill/http.ts'
import { evaluate } from './soak/evaluate.ts'
import { Faults } from './soak/faults.ts'
import { Notifications } from './soak/notifications.ts'
import { Platform } from './soak/platform.ts'
import { COUNT, MIN_CREATION_MS, RATE, SEED, SHARES } from './soak/settings.ts'
import { untilSettled } from './soak/settle.ts'
import { faultTable, outcomes, settling } from './soak/summary.ts'

const REPORT_MS = 10_000
const MIN_CLOCK_DIFFERENCE_MS = 28_000

/** The differences between the clocks of the replicas, as their responses state them. */
async function clocks({ payments }: Platform): Promise<string> {
  const dates: number[] = []
  for (const { origin } of payments) {
    const { headers } = await fetch(new URL('/health/live', origin))
    dates.push(Date.parse(headers.get('date') ?? ''))
  }
  const sorted = dates.toSorted((a, b) => a - b)
  const apart = sorted.slice(1).map((at, n) => at - (sorted[n] ?? at))
  const text = apart.map((ms) => `${ms / 1_000} s`).join(', ')
  if (apart.every((ms) => ms >= MIN_CLOCK_DIFFERENCE_MS)) return text
  throw new Error(`they are ${text} apart`)
}

async function report(driver: Driver) {
  while (!driver.isDone) {
    await sleep(REPORT_MS)
    const answered = driver.created.filter(({ reference }) => reference !== undefined).length
    console.log(`${driver.created.length} payments requested, ${answered} answered`)
  }
}

async function load(platform: Platform, draw: Draw) {
  const driver = new Driver(platform, draw, SHARES)
  const notifications = new Notifications(platform, driver, draw)
  await mustPass('merchants register', () => driver.prepare())
  await mustPass('merchants create endpoints', () => notifications.prepare())
  const faults = new Faults(platform, () => driver.isDone)
  const perSecond = Math.min(RATE, (COUNT * 1_000) / MIN_CREATION_MS)
  await Promise.all([
    driver.run(COUNT, perSecond),
    faults.run(draw),
    notifications.run(),
    report(driver),
  ])
  return { driver, faults, notifications }
}

async function main() {
  const since = Date.now()
  console.log(`SEED=${SEED} COUNT=${COUNT}`)
  let platform: Platform | undefined
  await mustPass('starts the processes', async () => void (platform = await Platform.start()))
  if (!platform) return
  try {
    const started = platform
    await check('the clocks of the replicas are 30 s apart', () => clocks(started))
    const { driver, faults, notifications } = await load(platform, new Draw(SEED))
    const unsettled = await untilSettled(platform, new Book(readFrom(platform.simulator.origin)))
    await notifications.untilSettled()
    const book = new Book(readFrom(platform.simulator.origin))
    await book.update()
    const records = await evaluate({ platform, driver, faults, book, unsettled })
    const notified = await notifications.evaluate()
    await notifications.stop()
    const minutes = ((Date.now() - since) / 60_000).toFixed(1)
    const head =
      `Measured ${new Date().toISOString().slice(0, 10)} with SEED=${SEED} COUNT=${COUNT} in ${minutes} minutes, ` +
      `on ${cpus().length} cores shared with the load, load average ${loadavg()[1]?.toFixed(0)}.`
    const text = [
      head,
      settling(records, driver.created),
      outcomes(records, book),
      notified,
      faultTable(faults.injected),
    ].join('\n\n')
    console.log(`\n${text}\n`)
    if (process.env.WRITE) await updateSection('reliability.md', `soak ${SEED}`, text, 'make soak')
  } finally {
    await platform.stop()
  }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof MustPassError)) await check('make soak', () => Promise.reject(error))
}
closeConnections()
finish()
process.exit()
