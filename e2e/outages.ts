/**
 * `make outages`: runs both services against dependencies that are slow, full, frozen or half dead, and compares every
 * response with the databases.
 *
 *     node e2e/outages.ts                every cell
 *     PART='auth→Redis' node …           the cells whose name matches this regular expression
 *     SHORT=1 node …                     the cells that found faults before, at most 4 minutes
 *     WRITE=1 node …                     also writes the table into docs/reliability.md
 *     WAIT_MS=12000 node …               with another DB_WAIT_MS, which is also how long most outages last
 *
 * Ends with `N passed, N failed`.
 */
import { check, finish, mustPass, MustPassError } from './checks.ts'
import { closeConnections } from './drill/http.ts'
import type { Cell } from './outages/cell.ts'
import type { Measurement } from './outages/evaluate.ts'
import { measure } from './outages/measure.ts'
import { NETWORK_CELLS } from './outages/network-faults.ts'
import { Platform } from './outages/platform.ts'
import { POSTGRES_CELLS } from './outages/postgres-states.ts'
import { REDIS_CELLS } from './outages/redis-states.ts'
import { rows, writeReport } from './outages/report.ts'
import { installToxiproxy } from './outages/toxiproxy.ts'

/** A shorter deadline than the services' default makes the cells short. */
const waitMs = Number(process.env.WAIT_MS) || 4_000
/** A machine that builds for others has slow moments, and several of the limits are times. */
const ATTEMPTS = process.env.CI ? 3 : 1
const part = new RegExp(process.env.PART ?? '', 'i')

function selected(): Cell[] {
  const all = [...NETWORK_CELLS, ...POSTGRES_CELLS, ...REDIS_CELLS]
  const cells = all.filter(({ name, short }) => part.test(name) && (short || !process.env.SHORT))
  if (cells.length === 0) throw new Error(`no cell matches ${part}`)
  // The services restart where `DB_WAIT_MS` changes.
  return cells.toSorted((a, b) => (a.waitMs ?? waitMs) - (b.waitMs ?? waitMs))
}

async function run(platform: Platform, cells: readonly Cell[]): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  // Undefined if the services must start again.
  let running: number | undefined
  for (const cell of cells) {
    const wait = cell.waitMs ?? waitMs
    await check(cell.name, async () => {
      let result: Measurement
      for (let attempt = 1; ; attempt++) {
        if (running !== wait) await platform.restart(wait)
        running = undefined
        result = await measure(platform, cell, wait)
        // What a cell leaves behind must not fail the next one.
        if (result.hasRecovered) running = wait
        if (result.problems.length === 0 || attempt === ATTEMPTS) break
        console.log(`retrying ${cell.name}:\n${result.problems.join('\n')}`)
      }
      measurements.push(result)
      if (result.problems.length > 0) throw new Error(result.problems.join('\n'))
      return `worst answer ${result.worstMs} ms, recovery ${result.recoveryMs} ms`
    })
  }
  return measurements
}

async function main() {
  const cells = selected()
  await mustPass('installs Toxiproxy', installToxiproxy)
  let platform: Platform | undefined
  await mustPass('starts the servers', async () => void (platform = await Platform.start()))
  if (!platform) return
  try {
    const measurements = await run(platform, cells)
    console.log(`\n${rows(measurements)}\n`)
    if (process.env.WRITE) await writeReport(measurements, waitMs)
  } finally {
    await platform.stop()
  }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof MustPassError)) await check('make outages', () => Promise.reject(error))
}
closeConnections()
finish()
process.exit()
