/**
 * Notifications to servers of merchants on this machine: the latency from the commit of a change to the merchant's 2xx,
 * the drain of a backlog beside requests, and endpoints that are dead or slow. See docs/performance.md.
 *
 * Environment variables: ONLY=latency,isolation,drain; SECONDS of a measurement, ROUNDS; BACKLOG, the deliveries that are
 * drained; DUE, those of each dead or slow endpoint. WORKER=shared starts a second process of payments, which shares the
 * work and gets no requests. With WORKER=separate, the first process only serves requests.
 *
 * @typedef {import('./merchants.mjs').Stage} Stage
 * @typedef {import('./merchants.mjs').Merchant} Merchant
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { enable, insertBacklog } from './backlog.mjs'
import { requestStatus } from './charges.mjs'
import { withMerchants } from './merchants.mjs'
import { quantile } from './probe.mjs'
import { median } from './table.mjs'
import { send, toRead } from './work.mjs'

const ENDPOINTS = 10
const PER_SECOND = 100
const CONNECTIONS = 32
const SLOW_MERCHANTS = 4
const SLOW_ENDPOINTS = 16
/** Time in which V8 compiles the hot code. */
const WARM_UP_SECONDS = 8
/** After which an event without 2xx is missing. */
const ANSWER_LIMIT_MS = 20_000
/** Nothing listens there: connections are refused. */
const DEAD_URL = 'http://127.0.0.1:9/'

const seconds = Number(process.env.SECONDS || 15)
const rounds = Number(process.env.ROUNDS || 3)
const backlog = Number(process.env.BACKLOG || 50_000)
const due = Number(process.env.DUE || 10_000)
const only = process.env.ONLY?.split(',')
const worker = process.env.WORKER

const loader = fork(join(import.meta.dirname, 'load.mjs'))

/** @param {string} name */
function isWanted(name) {
  return only?.includes(name) ?? true
}

const KINDS = /** @type {const} */ (['create', 'get'])

class Bench {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  /** @type {Merchant[]} */
  #merchants = []

  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage
  }

  close() {
    this.#agent.destroy()
  }

  async prepare() {
    const { addMerchant, ports } = this.stage
    for (let nth = 0; nth < ENDPOINTS; nth++) {
      this.#merchants.push(await addMerchant([`http://127.0.0.1:${ports.ok}/${nth}`]))
    }
    await this.#offer(WARM_UP_SECONDS)
  }

  async latency() {
    const delays = await this.#offer(seconds)
    return `commit to 2xx at ${PER_SECOND} events/s, ${ENDPOINTS} endpoints: ${times(delays)} of ${delays.length} events; p50 below 60 ms and p99 below 250 ms wanted`
  }

  /** The latency by turns, while other endpoints are disabled and enabled. */
  async isolation() {
    const { addMerchant, database, ports } = this.stage
    const dead = await addMerchant([DEAD_URL])
    const slow = []
    for (let nth = 0; nth < SLOW_MERCHANTS; nth++) {
      slow.push(await addMerchant(Array(SLOW_ENDPOINTS).fill(`http://127.0.0.1:${ports.slow}/`)))
    }
    const groups = { dead: [dead], slow }
    for (const each of [dead, ...slow]) {
      await enable(database, each.endpoints, false)
      await insertBacklog(database, { ...each, count: due })
    }
    await database.query('VACUUM ANALYZE')
    const lines = []
    for (const [name, merchants] of Object.entries(groups)) {
      const endpoints = merchants.flatMap((each) => each.endpoints)
      const all = []
      for (let round = 0; round < rounds; round++) {
        const alone = await this.#offer(seconds)
        await enable(database, endpoints, true)
        // The circuit opens, or the slots fill.
        await sleep(2_000)
        const beside = await this.#offer(seconds)
        await enable(database, endpoints, false)
        all.push({ alone, beside })
      }
      const ratio = median(all.map(({ alone, beside }) => p99(beside) / p99(alone)))
      const [alone, beside] = [
        all.flatMap((each) => each.alone),
        all.flatMap((each) => each.beside),
      ]
      lines.push(
        `beside ${endpoints.length} ${name} endpoints with ${due} due each: ${times(beside)}, without ${times(alone)}; ratio of p99 ${ratio.toFixed(2)}, at most 1.20 wanted`,
      )
    }
    return lines.join('\n')
  }

  /** Requests by turns, without and with a backlog that drains: endpoints are disabled and enabled. @param {typeof KINDS[number]} kind */
  async drain(kind) {
    const { database } = this.stage
    const endpoints = this.#merchants.flatMap((each) => each.endpoints)
    await enable(database, endpoints, false)
    for (const merchant of this.#merchants) {
      await insertBacklog(database, { ...merchant, count: backlog / ENDPOINTS })
    }
    await database.query('VACUUM ANALYZE')
    const clients = await this.#clients(kind)
    await this.#load(clients, WARM_UP_SECONDS)
    const ratios = []
    const drained = []
    for (let round = 0; round < rounds; round++) {
      const without = await this.#load(clients, seconds)
      await enable(database, endpoints, true)
      await sleep(500)
      const before = await this.#delivered()
      const begun = Date.now()
      const beside = await this.#load(clients, seconds)
      drained.push((((await this.#delivered()) - before) * 1_000) / (Date.now() - begun))
      if ((await this.#pending()) === 0) throw new Error('the backlog was drained too early')
      await enable(database, endpoints, false)
      await sleep(1_000)
      ratios.push(beside / without)
    }
    await enable(database, endpoints, true)
    const [from, begun] = [await this.#pending(), Date.now()]
    while ((await this.#pending()) > 0) await sleep(200)
    const alone = (from * 1_000) / (Date.now() - begun)
    return `${kind} beside a backlog of ${backlog}: ${median(ratios).toFixed(2)} of it without one, ${median(drained).toFixed(0)} deliveries/s, ${alone.toFixed(0)}/s without requests; 0.65 and 400/s wanted`
  }

  /** @param {typeof KINDS[number]} kind */
  async #clients(kind) {
    const creates = Array.from({ length: CONNECTIONS }, (_, n) => this.#merchant(n).create)
    if (kind === 'create') return creates.map((create) => [create])
    return Promise.all(creates.map((create) => toRead(this.stage.payments, create)))
  }

  /** @param {import('./work.mjs').Request[][]} clients @param {number} howLong @returns {Promise<number>} responses a second */
  async #load(clients, howLong) {
    loader.send({ url: this.stage.payments, seconds: howLong, clients })
    const [{ perSecond, failures }] = await once(loader, 'message')
    if (failures > 0) throw new Error(`${failures} requests failed`)
    return perSecond
  }

  async #delivered() {
    return this.#count(`SELECT count(*)::int AS n FROM deliveries WHERE state = 'delivered'`)
  }

  async #pending() {
    return this.#count('SELECT count(*)::int AS n FROM delivery_work')
  }

  /** @param {string} text */
  async #count(text) {
    return (await this.stage.database.query(text)).rows[0].n
  }

  /** @param {number} nth */
  #merchant(nth) {
    const merchant = this.#merchants[nth % ENDPOINTS]
    if (!merchant) throw new Error('there are no merchants')
    return merchant
  }

  /** Changes payments by the clock; returns the times from the commit of each change to its 2xx. @param {number} howLong */
  async #offer(howLong) {
    const { payments, database } = this.stage
    const count = PER_SECOND * howLong
    /** @type {import('./load.mjs').Request[]} */
    const changes = []
    while (changes.length < count) {
      const batch = Array.from({ length: Math.min(32, count - changes.length) }, async (_, nth) => {
        const { create } = this.#merchant(changes.length + nth)
        const { reference } = await send(payments, create)
        const body = JSON.stringify({ status: 'PENDING' })
        return { ...create, path: `/api/payments/${reference}/status`, body }
      })
      changes.push(...(await Promise.all(batch)))
    }
    await this.stage.answered()
    const since = new Date().toISOString()
    const begun = Date.now()
    const sent = []
    for (let nth = 0; nth < count; await sleep(2)) {
      const wanted = Math.min(count, ((Date.now() - begun) / 1_000) * PER_SECOND)
      for (; nth < wanted; nth++) {
        const change = changes[nth]
        if (change) sent.push(requestStatus(payments, change, this.#agent))
      }
    }
    const failed = (await Promise.all(sent)).filter((status) => status >= 300).length
    if (failed > 0) throw new Error(`${failed} changes failed`)
    const { rows } = await database.query(COMMITTED_SINCE, [since])
    const answered = new Map()
    for (const end = Date.now() + ANSWER_LIMIT_MS; answered.size < rows.length; await sleep(200)) {
      for (const [key, at] of await this.stage.answered()) answered.set(key.split(' ')[0], at)
      if (Date.now() > end) {
        throw new Error(`${rows.length - answered.size} of ${rows.length} events got no 2xx`)
      }
    }
    return rows.map(({ event, committedAt }) => answered.get(event) - committedAt)
  }
}

const COMMITTED_SINCE = `
SELECT
  'evt_' || replace(operation_id::text, '-', '') AS event,
  extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 AS "committedAt"
FROM payment_events
WHERE at >= $1 AND to_status = 'PENDING' AND from_status = 'INITIATED'`

/** @param {number[]} delays */
function p99(delays) {
  return quantile(delays, 0.99)
}

/** @param {number[]} delays */
function times(delays) {
  return `p50 ${quantile(delays, 0.5).toFixed(0)} ms, p99 ${p99(delays).toFixed(0)} ms`
}

try {
  await withMerchants(
    async (stage) => {
      const bench = new Bench(stage)
      if (worker) await stage.startReplica(worker === 'shared' ? 'api,worker' : 'worker')
      await bench.prepare()
      if (isWanted('latency')) console.log(await bench.latency())
      if (isWanted('isolation')) console.log(await bench.isolation())
      if (isWanted('drain')) for (const kind of KINDS) console.log(await bench.drain(kind))
      console.log(`load average ${loadavg()[0]?.toFixed(1)}`)
      bench.close()
    },
    worker === 'separate' ? { ROLES: 'api' } : {},
  )
} finally {
  loader.disconnect()
}
