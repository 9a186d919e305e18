/**
 * Measures the token check: the CPU of a check with a local cache hit as a share of a payment read, and the
 * longest time from a logout's response until all three replicas reject the token.
 *
 * @typedef {import('./environment.mjs').Services} Services
 * @typedef {import('./load.mjs').Request} Request
 * @typedef {import('./token-check.mjs').Costs} Costs
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { costOfLoad } from './load-cost.mjs'
import { measureRevocation } from './revocation.mjs'
import { median } from './table.mjs'

const ROUNDS = 3
const LOAD_SECONDS = 3
/** The targets: the CPU of a check as a share of a read, and the time of a revocation. */
const LIMITS = { share: 0.15, revocationMs: 1_000 }

/** @param {Services} services @param {Request[][]} reads the requests of each connection */
export async function benchTokens(services, reads) {
  const { shares, costs } = await measureCosts(services, reads)
  console.log('A token check’s CPU as a share of a payment read’s, medians of 3 rounds:')
  for (const kind of /** @type {const} */ (['local', 'redis'])) {
    const name = kind === 'local' ? 'local cache hit' : 'Redis read'
    const micros = `${costs[kind].toFixed(1)} of ${costs.read.toFixed(0)} µs`
    console.log(
      `  ${name.padEnd(22)} ${(shares[kind] * 100).toFixed(1).padStart(5)} %  (${micros})`,
    )
  }
  if (shares.local > LIMITS.share)
    throw new Error('a check with a local cache hit takes over 15 % of a read’s CPU')
}

/** @param {Services} services @param {Request[][]} reads */
export async function benchRevocation(services, reads) {
  const { logouts, rejectedMs, median, acceptedMs, staleness } = await measureRevocation(
    services,
    reads,
  )
  console.log(`${logouts} logouts against 3 payments replicas under load:`)
  console.log(
    `  until the last replica rejected   ${rejectedMs.toFixed(0)} ms at most, median ${median.toFixed(1)} ms`,
  )
  console.log(`  last accepted after the logout    ${acceptedMs.toFixed(0)} ms at most`)
  console.log(`  token_revocation_staleness_seconds ${staleness.toFixed(3)}`)
  if (rejectedMs >= LIMITS.revocationMs) throw new Error('a revocation took a second or more')
}

/** Alternates the two measurements, so that both see the same machine load. @param {Services} services @param {Request[][]} reads */
async function measureCosts(services, reads) {
  const [loader, checker] = ['load.mjs', 'token-check.mjs'].map((file) =>
    fork(join(import.meta.dirname, file), { env: { ...process.env, ...services.environment } }),
  )
  try {
    const tokens = reads.map(([read]) => read?.headers['authorization'] ?? '')
    const rounds = []
    // The first round is a warm-up.
    for (let i = 0; i <= ROUNDS; i++) {
      const read = await costOfRead(services.urls.payments, reads, loader)
      checker?.send(tokens)
      const [costs] = /** @type {[Costs]} */ (await once(/** @type {never} */ (checker), 'message'))
      if (i > 0) rounds.push({ ...costs, read })
    }
    const of = (/** @type {(round: typeof rounds[0]) => number} */ figure) =>
      median(rounds.map(figure))
    return {
      shares: {
        local: of(({ local, read }) => local / read),
        redis: of(({ redis, read }) => redis / read),
      },
      costs: {
        local: of(({ local }) => local),
        redis: of(({ redis }) => redis),
        read: of(({ read }) => read),
      },
    }
  } finally {
    loader?.disconnect()
    checker?.disconnect()
  }
}

/**
 * Microseconds of the service's CPU per read. The CPU of PostgreSQL and Redis would make the share of the check smaller.
 *
 * @param {string} url
 * @param {Request[][]} clients
 * @param {import('node:child_process').ChildProcess | undefined} loader
 */
async function costOfRead(url, clients, loader) {
  const { micros, failures } = await costOfLoad(loader, { url, seconds: LOAD_SECONDS, clients })
  if (failures > 0) throw new Error(`${failures} reads failed`)
  return micros
}
