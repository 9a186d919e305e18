/**
 * Scenarios beside the ratios of `run.mjs`: one client, overload, a million payments, several replicas.
 *
 * @typedef {import('./load.mjs').Result} Result
 * @typedef {import('./open-loop.mjs').OpenResult} OpenResult
 * @typedef {import('./open-loop.mjs').Figures} Figures
 * @typedef {import('./environment.mjs').Services} Services
 * @typedef {import('./work.mjs').Work} Work
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const OVERLOAD_CONNECTIONS = 1_000
const MILLION = Number(process.env.MILLION || 1_000_000)
const FILL_ROWS = 20_000
const REPLICAS = [1, 2, 4]
const SECONDS = 5

/**
 * The work of one client, beside the same service without batching.
 *
 * @param {string} url the address of the service without batching
 * @param {Work[]} works
 * @returns {Work[]}
 */
export function oneClient(url, works) {
  return works
    .filter(({ name }) => name === 'create' || name === 'get')
    .map((work) => ({
      ...work,
      name: `${work.name}, one client`,
      limit: url,
      // Both services use one database, so both have the payments.
      clientsOf: () => work.clientsOf(work.ours).slice(0, 1),
    }))
}

/**
 * Twice the capacity over a thousand connections, by an open-loop generator.
 *
 * @param {Services} services
 * @param {Work} work
 * @param {number} perSecond the measured capacity
 */
export async function overload(services, { name, ours, clientsOf }, perSecond) {
  const loader = fork(join(import.meta.dirname, 'open-loop.mjs'))
  const requests = clientsOf(ours)
    .flat()
    .filter(({ keyed }) => !keyed)
  const pid = services.pids.payments
  const before = residentMb(pid)
  loader.send({
    url: ours,
    seconds: SECONDS,
    perSecond: 2 * perSecond,
    connections: OVERLOAD_CONNECTIONS,
    requests,
  })
  const [result] = await once(loader, 'message')
  loader.disconnect()
  const { accepted, rejected, failures } = /** @type {OpenResult} */ (result)
  const text = (/** @type {Figures} */ { share, p50, p99, p99OfDue }) =>
    `${(share * 100).toFixed(0)} %, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms (${p99OfDue.toFixed(0)} ms since due)`
  const lines = [
    `${name}, ${OVERLOAD_CONNECTIONS} connections, ${(2 * perSecond).toFixed(0)}/s (twice ${perSecond.toFixed(0)}/s):`,
    `  answered ${text(accepted)}; rejected with 503 ${text(rejected)}; failed ${failures}`,
    `  resident memory ${before.toFixed(0)} MB before, ${residentMb(pid).toFixed(0)} MB after`,
  ]
  return lines.join('\n')
}

/**
 * Inserts a million payments of the same owners, and returns the work that reads a sample of all of them.
 *
 * @param {Services} services
 * @param {Work} get
 * @returns {Promise<Work>}
 */
export async function amongMillion({ environment }, get) {
  const rows = await withClient(environment.DATABASE_URL, async (client) => {
    // In several transactions: the totals would count the events of one transaction in one statement.
    for (let inserted = 0; inserted < MILLION; inserted += FILL_ROWS)
      await client.query(FILL, [FILL_ROWS])
    // Wait for the work that the inserts cause, so that it is not measured.
    while (!(await client.query(ALL_COUNTED)).rows[0].counted) await sleep(500)
    await client.query('VACUUM ANALYZE payments, payment_events')
    await client.query('CHECKPOINT')
    return (await client.query(SOME)).rows
  })
  const paths = new Map(
    rows.map(({ owner, references }) => [
      owner,
      references.map((/** @type {string} */ reference) => `/api/payments/${reference}`),
    ]),
  )
  const clients = get.clientsOf(get.ours).map(([read]) => {
    if (!read) throw new Error('a client has no reads')
    return (paths.get(subjectOf(read)) ?? []).map((/** @type {string} */ path) => ({
      ...read,
      path,
    }))
  })
  return { ...get, clientsOf: (url) => (url === get.ours ? clients : get.clientsOf(url)) }
}

/** @param {import('./load.mjs').Request} request */
function subjectOf({ headers }) {
  const [, payload = ''] = headers.authorization?.split('.') ?? []
  return JSON.parse(Buffer.from(payload, 'base64url').toString()).sub
}

/** Whether the totals include every event. */
const ALL_COUNTED = `
SELECT folded_through >= (SELECT max(xid) FROM payment_events) AS counted FROM payment_totals_position`

/** A hundred payments of each owner, sampled from the whole table. */
const SOME = `
SELECT owner_id AS owner, array_agg(reference) AS references
  FROM (SELECT owner_id, reference, row_number() OVER (PARTITION BY owner_id ORDER BY random()) AS n
          FROM payments TABLESAMPLE SYSTEM (5)) AS sampled
 WHERE n <= 100
 GROUP BY owner_id`

const FILL = `
WITH owners AS (
  SELECT array_agg(DISTINCT owner_id) AS ids FROM payments
), made AS (
  INSERT INTO payments
    (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
     description, metadata, status, created_at, updated_at, version)
  SELECT uuidv7(), ids[1 + n % cardinality(ids)], 5000, 'UGX', 'MOBILE_MONEY',
         '+25677' || lpad((n % 10000000)::text, 7, '0'), 'customer@example.com', 'School fees',
         '{"order": "17"}', 'INITIATED', now(), now(), 1
    FROM generate_series(1, $1::int) AS n, owners
  RETURNING id, owner_id, status
)
INSERT INTO payment_events (payment_id, version, operation_id, to_status, at, actor, cause)
SELECT id, 1, uuidv7(), status, now(), owner_id::text, 'create' FROM made`

/** Several replicas on one database, each with the same number of clients. @param {Services} services @param {Work} work */
export async function replicas(services, { name, ours, clientsOf }) {
  const urls = [ours]
  /** @type {import('@malipo/local/process').Service[]} */
  const others = []
  const lines = []
  const clients = clientsOf(ours)
  for (const count of REPLICAS) {
    while (urls.length < count) {
      const another = await services.startAnother('payments', {})
      others.push(another)
      urls.push(another.url)
    }
    const loaders = urls.map(() => fork(join(import.meta.dirname, 'load.mjs')))
    const load = async (/** @type {number} */ seconds) =>
      Promise.all(
        loaders.map(async (loader, i) => {
          loader.send({ url: urls[i], seconds, clients })
          return /** @type {Result} */ ((await once(loader, 'message'))[0])
        }),
      )
    await load(2)
    const [results, connections] = await Promise.all([load(SECONDS), mostConnections(services)])
    for (const loader of loaders) loader.disconnect()
    const sum = (/** @type {(result: Result) => number} */ of) =>
      results.reduce((total, result) => total + of(result), 0)
    const p99 = Math.max(...results.map((result) => result.p99))
    lines.push(
      `${name}, ${count} replicas: ${sum(({ perSecond }) => perSecond).toFixed(0)}/s, p99 ${p99.toFixed(0)} ms, ` +
        `${(connections / count).toFixed(1)} database connections a replica, ${sum(({ failures }) => failures)} failed`,
    )
  }
  for (const another of others) await another.stop()
  return lines.join('\n')
}

/** The maximum of connections that the services hold to the payments database within a few seconds. @param {Services} services */
async function mostConnections({ environment }) {
  return withClient(environment.DATABASE_URL, async (client) => {
    let most = 0
    for (let i = 0; i < SECONDS * 4; i++) {
      const { rows } = await client.query(
        `SELECT count(*)::int AS n FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      )
      most = Math.max(most, rows[0].n)
      await sleep(250)
    }
    return most
  })
}

/**
 * @template T
 * @param {string | undefined} connectionString
 * @param {(client: pg.Client) => Promise<T>} work
 */
async function withClient(connectionString, work) {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return work(client).finally(() => client.end())
}

/** @param {number} pid */
function residentMb(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}
