/**
 * `node bench/rates.mjs`: whether three replicas together stay within the limits of an account, measured at the
 * simulator. Charges come in waves: after each pause, all replicas find a full bucket. Tokens of the provider end
 * earlier than it states, so that requests are rejected with 401 and repeated. Fails if more requests than the limit
 * arrive in any sliding second, or if none was repeated. See docs/performance.md.
 *
 * Environment variable: SECONDS of the load, 300 by default.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { requestStatus } from './charges.mjs'
import { withProvider } from './provider.mjs'

/** MTN's limit of queries; the account has the same for requests for money. */
const LIMIT = 10
/** A token that replaces a rejected one is used for a minute at least. */
const TOKEN = { tokenSeconds: 65, tokenStatedSeconds: 3_600, queriesPerSecond: 10_000 }
const WAVE = { seconds: 6, pauseSeconds: 4, perSecond: 14 }
/** The personalities whose charges need more than one query. */
const MIX = 'approve=70,callback-lost=20,never=10'
/** Of the schedules of payments, so that a charge without a callback is queried after a second. */
const PROVIDER_TIME_SCALE = '0.1'

const seconds = Number(process.env.SECONDS || 300)
let nextPayer = 773_000_000

const options = {
  accounts: [{ name: 'limited', rate: LIMIT, pollRate: LIMIT, simulator: TOKEN }],
  replicas: 3,
  simulator: { TIME_SCALE: '0.1', PERSONALITY_MIX: MIX },
  env: { PROVIDER_TIME_SCALE },
}
await withProvider(options, async ({ creates, payments, simulator }) => {
  await load(creates, payments)
  const counts = await (await fetch(`${simulator}/admin/requests`)).json()
  const rows = ['requesttopay', 'status'].map(
    (name) => /** @type {const} */ ([name, counts[`mtn-momo ${name}`]]),
  )
  let repeated = 0
  for (const [name, { total, peakPerSecond, statuses }] of rows) {
    const rejected = statuses['401'] ?? 0
    repeated += rejected
    const mean = (total / seconds).toFixed(1)
    console.log(
      `${name}: ${total} requests in ${seconds} s, ${mean} a second, ${rejected} of them answered with 401; ` +
        `at most ${peakPerSecond} in any sliding second, limit ${LIMIT}`,
    )
    if (peakPerSecond > LIMIT) process.exitCode = 1
  }
  if (repeated > 0) return
  console.error('rates: no request was repeated after 401')
  process.exitCode = 1
})

/** Creates charges in waves, by turns at the replicas. @param {import('./load.mjs').Request[]} creates @param {string[]} payments */
async function load(creates, payments) {
  const end = Date.now() + seconds * 1_000
  let nth = 0
  while (Date.now() < end) {
    const begun = Date.now()
    const count = WAVE.seconds * WAVE.perSecond
    for (let i = 0; i < count; i++) {
      await sleep(Math.max(0, begun + (i * 1_000) / WAVE.perSecond - Date.now()))
      const create = creates[nth % creates.length]
      const url = payments[nth++ % payments.length]
      if (create && url) void requestStatus(url, chargeOf(create))
    }
    await sleep(WAVE.pauseSeconds * 1_000)
  }
}

/** @param {import('./load.mjs').Request} create @returns {import('./load.mjs').Request} */
function chargeOf(create) {
  const customerPhone = `+256${nextPayer++}`
  const payment = { ...JSON.parse(create.body ?? '{}'), provider: 'limited', customerPhone }
  return { ...create, body: JSON.stringify(payment) }
}
