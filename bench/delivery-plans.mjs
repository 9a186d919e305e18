/**
 * Measures the statements of deliveries: the CPU time of the database for a claim, a body and a result, beside few and
 * beside many finished deliveries. It reads the CPU time of its backend, so that other processes of the machine matter
 * little. Linux only.
 *
 *   npm run build && FINISHED=1000000 node bench/delivery-plans.mjs
 *
 * @typedef {import('@malipo/kit/postgres/database').Statement} Statement
 * @typedef {import('@malipo/kit/postgres/database').Run} Run
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@malipo/local/postgres'
import { runToEnd } from '@malipo/local/process'
import pg from 'pg'
import { v7 } from 'uuid'
import { storeBody } from '../services/payments/dist/deliveries/body.store.js'
import { claimDeliveries } from '../services/payments/dist/deliveries/claim.store.js'
import { recordTry } from '../services/payments/dist/deliveries/record.store.js'
import { median } from './table.mjs'

const FINISHED = Number(process.env.FINISHED ?? 1_000_000)
const ROUNDS = Number(process.env.CLAIM_ROUNDS ?? 200)
const ENDPOINTS = 10
const WARM_UP = 20

const folder = mkdtempSync(join(tmpdir(), 'malipo-plans-'))
const postgres = await startPostgres({
  dataDir: join(folder, 'db'),
  databases: ['payments'],
  flags: ['-c', 'fsync=off', '-c', 'max_wal_size=8GB', '-c', 'shared_buffers=512MB'],
})
const DATABASE_URL = postgres.url('payments')
const client = new pg.Client({ connectionString: DATABASE_URL })
try {
  const env = { DATABASE_URL, MODE: 'sandbox', AUTH_SERVICE_URL: 'http://localhost' }
  await runToEnd({
    name: 'payments',
    script: 'migrate',
    env: { ...env, REDIS_URL: 'redis://localhost' },
  })
  await client.connect()
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  const backend = rows[0].pid
  const endpoints = await insertEndpoints()
  const before = await costs(backend, endpoints)
  await insertFinished(endpoints)
  const after = await costs(backend, endpoints)
  console.log('CPU of the database, ms for each delivery:')
  for (const name of /** @type {const} */ (['claim', 'body', 'record'])) {
    const ratio = (after[name] / before[name]).toFixed(2)
    const [few, many] = [before[name].toFixed(3), after[name].toFixed(3)]
    console.log(`${name}: ${few}, beside ${FINISHED} finished ${many}, ratio ${ratio}`)
  }
} finally {
  await client.end()
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}

/** @returns {Promise<string[]>} ids */
async function insertEndpoints() {
  const { rows } = await client.query(
    `INSERT INTO webhook_endpoints (id, owner_id, url, events, state, created_at, updated_at, version)
     SELECT uuidv7(), uuidv7(), 'https://merchant.example/hook', '{*}', 'enabled', now(), now(), 1
     FROM generate_series(1, ${ENDPOINTS})
     RETURNING id`,
  )
  await client.query('UPDATE webhook_endpoint_health SET is_slow = false')
  return rows.map(({ id }) => id)
}

/** Due deliveries of an endpoint. @param {string} endpoint @param {number} count */
async function insertDue(endpoint, count) {
  await client.query(
    `WITH notified AS (
       INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, created_at)
       SELECT uuidv7(), $1, 'payment.pending', uuidv7(), 2, now() FROM generate_series(1, $2)
       RETURNING id
     ), delivery AS (
       INSERT INTO deliveries (id, notification_id, endpoint_id, state, created_at)
       SELECT uuidv7(), id, $1, 'pending', now() FROM notified RETURNING id
     )
     INSERT INTO delivery_work (delivery_id, endpoint_id, due_at) SELECT id, $1, now() FROM delivery`,
    [endpoint, count],
  )
}

/** @param {string[]} endpoints */
async function insertFinished(endpoints) {
  const statements = [
    `SET session_replication_role = replica`,
    `CREATE TEMPORARY TABLE seeds AS
     SELECT uuidv7() AS id, ('{${endpoints.join()}}'::uuid[])[1 + n % ${ENDPOINTS}] AS endpoint_id
     FROM generate_series(1, ${FINISHED}) AS n`,
    `INSERT INTO notifications (id, owner_id, type, subject_id, subject_version, body, created_at)
     SELECT id, endpoint_id, 'payment.pending', id, 2, repeat('x', 400), now() FROM seeds`,
    `INSERT INTO deliveries (id, notification_id, endpoint_id, state, tries, created_at, delivered_at)
     SELECT id, id, endpoint_id, 'delivered', 1, now(), now() FROM seeds`,
    `INSERT INTO delivery_tries (delivery_id, nth, operation_id, at, took_ms, status)
     SELECT id, 1, id, now(), 5, 200 FROM seeds`,
    `SET session_replication_role = origin`,
    `DROP TABLE seeds`,
  ]
  for (const text of statements) await client.query(text)
}

/** Medians of the CPU time for each delivery. @param {number} backend @param {string[]} endpoints */
async function costs(backend, endpoints) {
  for (const endpoint of endpoints) {
    await insertDue(endpoint, ((ROUNDS + WARM_UP) * 40) / ENDPOINTS)
  }
  await client.query('VACUUM ANALYZE')
  await client.query('CHECKPOINT')
  /** @type {Record<'claim' | 'body' | 'record', number[]>} */
  const all = { claim: [], body: [], record: [] }
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const leaseId = v7()
    const [claimMs, claimed] = await measured(backend, () =>
      claimDeliveries(
        runOne,
        { free: 100, freeSlow: 25, leaseId, leaseSeconds: 50, busy: [] },
        false,
      ),
    )
    const bodies = claimed.map(({ notificationId }) =>
      batch((run) => storeBody(run, notificationId, JSON.stringify('x'.repeat(400)))),
    )
    const bodyMs = await runBatch(backend, await Promise.all(bodies))
    const tries = claimed.map(({ deliveryId, endpointId }) =>
      batch((run) => recordTry(run, result(deliveryId, endpointId, leaseId))),
    )
    const recordMs = await runBatch(backend, await Promise.all(tries))
    if (round < 0) continue
    all.claim.push(claimMs / claimed.length)
    all.body.push(bodyMs / claimed.length)
    all.record.push(recordMs / claimed.length)
  }
  return { claim: median(all.claim), body: median(all.body), record: median(all.record) }
}

/** @param {string} deliveryId @param {string} endpointId @param {string} leaseId */
function result(deliveryId, endpointId, leaseId) {
  const ids = { deliveryId, endpointId, leaseId, operationId: v7(), resendId: null }
  const answered = {
    outcome: /** @type {const} */ ('delivered'),
    status: 200,
    answer: '',
    tookMs: 5,
  }
  const none = {
    error: undefined,
    retryAfterSeconds: undefined,
    breaksCircuit: false,
    isSlow: false,
  }
  return { ...answered, ...none, ...ids, at: new Date(), nextSeconds: 5, scale: 1 }
}

/** @type {Run} */
async function runOne(statement, values) {
  return (await client.query({ ...statement, values: [...values] })).rows
}

/** The statement of a batched call, and its item. @param {(run: Run) => Promise<unknown>} call */
async function batch(call) {
  /** @type {{ statement: Statement, item: object } | undefined} */
  let captured
  await call(async (statement, [item]) => {
    captured = { statement, item: /** @type {object} */ (item) }
    return []
  })
  if (!captured) throw new Error('no statement was run')
  return captured
}

/** @param {number} backend @param {{ statement: Statement, item: object }[]} calls */
async function runBatch(backend, calls) {
  const [first] = calls
  if (!first) throw new Error('nothing was claimed')
  const items = JSON.stringify(calls.map(({ item }, nth) => ({ nth, ...item })))
  const [ms, rows] = await measured(backend, () => runOne(first.statement, [items]))
  if (rows.length !== calls.length) throw new Error(`${rows.length} of ${calls.length} rows`)
  return ms
}

/** @template T @param {number} backend @param {() => Promise<T>} work @returns {Promise<[number, T]>} the CPU time of the database, and the result */
async function measured(backend, work) {
  const before = cpuMs(backend)
  const done = await work()
  return [cpuMs(backend) - before, done]
}

/** The CPU time of a process, in ms. @param {number} pid */
function cpuMs(pid) {
  const [ns] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
  return Number(ns) / 1e6
}
