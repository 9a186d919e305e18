/**
 * Charges at the simulator, which is a provider whose payers approve: a payment is created, requested, reported by a
 * callback without a signature, queried, and SUCCESS. `make bench` runs it, each line in less than a minute.
 *
 * @typedef {import('./provider.mjs').Provider} Provider
 * @typedef {object} Charge
 * @property {number} createdAt ms since 1970, as the other times
 * @property {number} calledBackAt when the simulator began the callback
 * @property {number} settledAt when SUCCESS was committed
 */
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { quantile } from './probe.mjs'
import { withProvider } from './provider.mjs'

/** A payer approves after 2 s without it. */
const TIME_SCALE = 0.1
const FAST = { name: 'fast', rate: 1_000, pollRate: 1_000 }
/** MTN's limit. */
const MTN = { rate: 50, pollRate: 10 }
const MTN_RATES = [5, 8, 12]

/** Time in which V8 compiles the hot code. */
const WARM_UP_SECONDS = 12
const SECONDS = 15
/** Unfinished charges while the throughput is measured. */
const OPEN_CHARGES = Number(process.env.OPEN_CHARGES || 200)
const LATENCY_PER_SECOND = 100
const OVERDUE = 5_000
/** Finished payments: plans for an empty database are others. */
const HISTORY = 50_000
const MTN_SECONDS = 20
const DRAIN_LIMIT_MS = 40_000

/** The simulator never decides a charge of this payer, and sends no callback. */
const UNDECIDED = '+256772900019'
/** The payers of the others, from here on, have no personality: they approve. */
let nextPayer = 773_000_000

/** Prints one line for each measurement. */
export async function benchCharges() {
  const accounts = [FAST, ...MTN_RATES.map((perSecond) => ({ ...MTN, name: `mtn-${perSecond}` }))]
  const simulator = { TIME_SCALE: String(TIME_SCALE) }
  await withProvider({ accounts, replicas: 1, simulator, history: HISTORY }, async (provider) => {
    const bench = new Bench(provider)
    try {
      console.log(await bench.throughput())
      console.log(await bench.latency(''))
      console.log(await bench.latencyBesideOverdue())
      console.log(await bench.atMtnRate())
      if (bench.failures > 0)
        throw new Error(`${bench.failures} requests to create a payment failed`)
    } finally {
      await bench.close()
    }
  })
}

class Bench {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  /** @type {pg.Pool} */
  #database
  #nth = 0
  failures = 0
  /** @type {Set<Promise<void>>} */
  #creating = new Set()

  /** @param {Provider} provider */
  constructor(provider) {
    this.provider = provider
    this.#database = new pg.Pool({ connectionString: provider.databaseUrl, max: 4 })
  }

  async close() {
    this.#agent.destroy()
    await this.#database.end()
  }

  /** A constant number of unfinished charges. */
  async throughput() {
    const begun = Date.now()
    const from = begun + WARM_UP_SECONDS * 1_000
    const to = from + SECONDS * 1_000
    while (Date.now() < to) {
      const open = await this.#count(OPEN)
      const wanted = OPEN_CHARGES - open - this.#creating.size
      for (let i = 0; i < wanted; i++) this.#create(FAST.name)
      await sleep(20)
    }
    await this.#drained(FAST.name)
    const perSecond = (await this.#settledWithin(FAST.name, from, to)) / SECONDS
    const target = 'at least 250 wanted'
    return `charges: ${perSecond.toFixed(0)}/s with ${OPEN_CHARGES} unfinished, pollRate ${FAST.pollRate}; ${target}`
  }

  /** @param {string} circumstances */
  async latency(circumstances) {
    const charges = await this.#offer(FAST.name, LATENCY_PER_SECOND, SECONDS)
    const delays = charges.map(({ calledBackAt, settledAt }) => settledAt - calledBackAt)
    const times = `p50 ${quantile(delays, 0.5).toFixed(0)} ms, p99 ${quantile(delays, 0.99).toFixed(0)} ms`
    return `callback to SUCCESS at ${LATENCY_PER_SECOND} charges/s${circumstances}: ${times} of ${delays.length} charges; p99 below 250 ms wanted`
  }

  async latencyBesideOverdue() {
    for (let created = 0; created < OVERDUE; created++) {
      while (this.#creating.size >= 32) await Promise.race(this.#creating)
      this.#create(FAST.name, UNDECIDED)
    }
    await Promise.all(this.#creating)
    while ((await this.#count(NOT_SENT)) > 0) await sleep(100)
    // Each query makes the next one due later: it is made due again.
    let queries = 0
    let updating = Promise.resolve()
    const overdue = setInterval(() => {
      updating = this.#database.query(MAKE_OVERDUE, [FAST.name, UNDECIDED]).then(({ rowCount }) => {
        queries += rowCount ?? 0
      })
    }, 500)
    try {
      await sleep(1_000)
      queries = 0
      const begun = Date.now()
      const line = await this.latency(` beside ${OVERDUE} overdue queries of the account`)
      const perSecond = (queries * 1_000) / (Date.now() - begun)
      return `${line}, ${perSecond.toFixed(0)} of the other queries/s`
    } finally {
      clearInterval(overdue)
      await updating
      await this.#database.query('DELETE FROM attempt_work WHERE account = $1', [FAST.name])
    }
  }

  /** Three accounts at the same time. */
  async atMtnRate() {
    const parts = await Promise.all(
      MTN_RATES.map(async (perSecond) => {
        const name = `mtn-${perSecond}`
        const begun = Date.now()
        const charges = await this.#offer(name, perSecond, MTN_SECONDS)
        const [from, to] = [begun + 5_000, begun + MTN_SECONDS * 1_000]
        const settled = charges.filter(({ settledAt }) => settledAt >= from && settledAt < to)
        const times = charges.map(({ createdAt, settledAt }) => (settledAt - createdAt) / 1_000)
        const of = (/** @type {number} */ share) => quantile(times, share).toFixed(2)
        const rate = (settled.length * 1_000) / (to - from)
        return `${perSecond}/s: ${rate.toFixed(1)} settled/s, time to settle p50 ${of(0.5)} s, p99 ${of(0.99)} s`
      }),
    )
    const { 'mtn-momo status': status } = await (
      await fetch(`${this.provider.simulator}/admin/requests`)
    ).json()
    const rejected = status.statuses['429'] ?? 0
    return `accounts with pollRate ${MTN.pollRate}, ${MTN_SECONDS} s of charges: ${parts.join('; ')}; ${rejected} answered with 429`
  }

  /**
   * Creates charges by the clock, and waits until all have ended.
   *
   * @param {string} account
   * @param {number} perSecond
   * @param {number} seconds
   * @returns {Promise<Charge[]>}
   */
  async #offer(account, perSecond, seconds) {
    const begun = Date.now()
    for (let due = 0; due < perSecond * seconds; await sleep(2)) {
      const wanted = Math.min(perSecond * seconds, ((Date.now() - begun) / 1_000) * perSecond)
      for (; due < wanted; due++) this.#create(account)
    }
    await Promise.all(this.#creating)
    await this.#drained(account)
    const { rows } = await this.#database.query(SETTLED_SINCE, [account, begun, UNDECIDED])
    const callbacks = await this.#callbacks()
    return rows.map(({ reference, createdAt, settledAt }) => ({
      createdAt,
      settledAt,
      calledBackAt: callbacks.get(reference) ?? NaN,
    }))
  }

  /** @param {string} account @param {string} [phone] */
  #create(account, phone = `+256${nextPayer++}`) {
    const { creates, payments } = this.provider
    const create = creates[this.#nth++ % creates.length]
    if (!create) throw new Error('there are no merchants')
    const payment = { ...JSON.parse(create.body ?? '{}'), provider: account, customerPhone: phone }
    const request = { ...create, body: JSON.stringify(payment) }
    const created = requestStatus(payments[0] ?? '', request, this.#agent).then((status) => {
      this.#creating.delete(created)
      if (status !== 201) this.failures++
    })
    this.#creating.add(created)
  }

  /** @param {string} statement @param {string} account */
  async #count(statement, account = FAST.name) {
    const { rows } = await this.#database.query(statement, [account, UNDECIDED])
    return rows[0].n
  }

  /** @param {string} account */
  async #drained(account) {
    const limit = Date.now() + DRAIN_LIMIT_MS
    while ((await this.#count(OPEN, account)) > 0) {
      if (Date.now() > limit) throw new Error(`charges of ${account} are still open`)
      await sleep(100)
    }
  }

  /** @param {string} account @param {number} from @param {number} to */
  async #settledWithin(account, from, to) {
    const { rows } = await this.#database.query(SETTLED_SINCE, [account, 0, UNDECIDED])
    return rows.filter(({ settledAt }) => settledAt >= from && settledAt < to).length
  }

  /** When the simulator began the callback of each charge, by reference. */
  async #callbacks() {
    /** @type {Map<string, number>} */
    const times = new Map()
    for (let next = 0; next !== null;) {
      const page = await fetch(
        `${this.provider.simulator}/admin/charges?after=${next}&limit=1000`,
      ).then((response) => response.json())
      for (const { reference, steps } of page.data) {
        const step = steps.find((/** @type {{ type: string }} */ { type }) => type === 'callback')
        if (step?.doneAt) times.set(reference, Date.parse(step.doneAt))
      }
      next = page.next
    }
    return times
  }
}

const OPEN = `
SELECT count(*)::int AS n
FROM attempt_work AS work
JOIN payment_attempts AS attempt ON attempt.id = work.attempt_id
JOIN payments ON payments.id = attempt.payment_id
WHERE work.account = $1 AND customer_phone <> $2`

const SETTLED_SINCE = `
SELECT
  attempt.reference,
  extract(epoch FROM payments.created_at)::float8 * 1000 AS "createdAt",
  extract(epoch FROM pg_xact_commit_timestamp(payments.xmin))::float8 * 1000 AS "settledAt"
FROM payments
JOIN payment_attempts AS attempt ON attempt.payment_id = payments.id
WHERE payments.account = $1
  AND payments.status = 'SUCCESS'
  AND payments.created_at >= to_timestamp($2::float8 / 1000)
  AND customer_phone <> $3`

const NOT_SENT = `
SELECT count(*)::int AS n
FROM attempt_work AS work
JOIN payment_attempts AS attempt ON attempt.id = work.attempt_id
JOIN payments ON payments.id = attempt.payment_id
WHERE work.account = $1 AND customer_phone = $2 AND (call = 'send' OR lease_id IS NOT NULL)`

const MAKE_OVERDUE = `
UPDATE attempt_work AS work
SET due_at = now() - interval '1 hour'
FROM payment_attempts AS attempt
JOIN payments ON payments.id = attempt.payment_id
WHERE work.account = $1 AND customer_phone = $2
  AND attempt.id = work.attempt_id AND lease_id IS NULL AND due_at > now()`

/**
 * @param {string} url
 * @param {import('./load.mjs').Request} request
 * @param {Agent} [agent]
 * @returns {Promise<number>} the status of the response
 */
export function requestStatus(url, { method, path, headers, body = '' }, agent) {
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(Buffer.byteLength(body)) }
    const options = { method, headers: { ...headers, ...length }, agent }
    const sent = httpRequest(url + path, options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

if (import.meta.main) await benchCharges()
