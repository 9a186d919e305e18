/**
 * Measures the statements of attempts and callbacks: the plans on large tables, the cost of claims before and after
 * many attempts, and the CPU of the database for a payment with a provider against one without. It reads the CPU time
 * of its backend, so that other processes of the machine matter little. Linux only.
 *
 *   npm run build && PAYMENTS=1000000 ATTEMPTS=500000 node bench/plans.mjs
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
import * as attempts from '../services/payments/dist/attempts/attempt.store.js'
import { recordCall } from '../services/payments/dist/attempts/circuits.store.js'
import * as claims from '../services/payments/dist/attempts/claim.store.js'
import { CONCLUDE } from '../services/payments/dist/attempts/conclude.statement.js'
import { conclusionInput } from '../services/payments/dist/attempts/conclude.store.js'
import { requestQuery } from '../services/payments/dist/attempts/wake.store.js'
import { STORE_CALLBACK } from '../services/payments/dist/callbacks/callback.statement.js'
import * as parked from '../services/payments/dist/callbacks/parked.statement.js'
import { insert } from '../services/payments/dist/payments/payments.store.js'
import { median } from './table.mjs'
import { sequentialScans } from './scans.mjs'
import { seedFinished } from './seed.mjs'
import { storeAccounts } from '../services/payments/dist/providers/accounts.store.js'

const PAYMENTS = Number(process.env.PAYMENTS ?? 1_000_000)
const ATTEMPTS = Number(process.env.ATTEMPTS ?? 500_000)
const CREATE_ROUNDS = Number(process.env.CREATE_ROUNDS ?? 300)
const BATCH = 64
const CREATE_BATCH = 32
const ACCOUNT = 'mtn-ug'
const LIMITS = { payerOpen: 3, payerHourly: 10, merchantDaily: 2_147_483_647 }

/** The number of created payments, each of another payer. */
let nth = 0

const folder = mkdtempSync(join(tmpdir(), 'malipo-plans-'))
const postgres = await startPostgres({
  dataDir: join(folder, 'db'),
  databases: ['payments'],
  flags: ['-c', 'fsync=off', '-c', 'max_wal_size=8GB', '-c', 'shared_buffers=512MB'],
})
const DATABASE_URL = postgres.url('payments')
await migrate()
const client = new pg.Client({ connectionString: DATABASE_URL })
await client.connect()
const { rows: backends } = await client.query('SELECT pg_backend_pid() AS pid')
const backend = backends[0].pid
try {
  await storeAccounts(/** @type {Run} */ (runStatement), [
    /** @type {any} */ ({
      name: ACCOUNT,
      adapter: 'mtn-momo',
      mode: 'sandbox',
      country: 'UG',
      currency: 'UGX',
      baseUrl: 'http://localhost',
      state: 'active',
    }),
  ])
  await client.query(`UPDATE provider_call_limits SET tokens = 1e9, refilled_at = now()`)
  console.log('CPU of the database for a payment, ratio to one without a provider:')
  console.log(await createCosts())
  console.log('CPU of the database for a claim and a conclusion, ms for each attempt:')
  console.log(await claimCosts())
  await seedFinished(client, ACCOUNT, PAYMENTS)
  console.log('sequential scans of large tables, generic plans:')
  console.log(await sequentialScans(client, await statements()))
} finally {
  await client.end()
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function migrate() {
  const env = {
    DATABASE_URL,
    MODE: 'sandbox',
    AUTH_SERVICE_URL: 'http://localhost',
    REDIS_URL: 'redis://localhost',
  }
  await runToEnd({ name: 'payments', script: 'migrate', env })
}

/** @param {Statement} statement @param {readonly unknown[]} values */
async function runStatement(statement, values) {
  return (await client.query({ ...statement, values: [...values] })).rows
}

/** The CPU time of the backend, in ms. */
function cpuMs() {
  const [ns] = readFileSync(`/proc/${backend}/schedstat`, 'utf8').split(' ')
  return Number(ns) / 1e6
}

/** @template T @param {() => Promise<T>} work @returns {Promise<[number, T]>} the CPU time of the database, and the result */
async function measured(work) {
  const before = cpuMs()
  const result = await work()
  return [cpuMs() - before, result]
}

/** The statement and the input of a new payment. @param {'plain' | 'attempt' | 'limits'} kind */
async function creation(kind) {
  /** @type {{ statement: Statement, input: object } | undefined} */
  let captured
  const capture = /** @type {Run} */ (
    /** @type {unknown} */ (
      async (/** @type {Statement} */ statement, /** @type {unknown[]} */ [input]) => {
        captured = { statement, input: /** @type {object} */ (input) }
        return []
      }
    )
  )
  const now = new Date()
  const payment = {
    id: v7(),
    ownerId: v7(),
    amountMinor: '5000',
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: `+2567${String(nth++).padStart(8, '0')}`,
    customerEmail: 'amina@example.com',
    description: null,
    metadata: {},
    account: kind === 'plain' ? null : ACCOUNT,
    providerName: kind === 'plain' ? null : 'mtn-momo',
    status: 'INITIATED',
    createdAt: now.toISOString(),
  }
  const attempt = {
    id: v7(),
    account: ACCOUNT,
    reference: v7(),
    sendUntil: new Date(now.getTime() + 3_600_000).toISOString(),
    limits: kind === 'limits' ? LIMITS : undefined,
  }
  const own = kind === 'plain' ? undefined : attempt
  await insert(capture, /** @type {any} */ (payment), own, v7(), undefined)
  if (!captured) throw new Error('no statement was run')
  return captured
}

/** Creates payments in one batch. @param {'plain' | 'attempt' | 'limits'} kind @param {number} count */
async function create(kind, count) {
  const all = await Promise.all(Array.from({ length: count }, () => creation(kind)))
  const inputs = all.map(({ input }, index) => ({ nth: index, ...input }))
  const [first] = all
  if (!first) return 0
  const [ms, rows] = await measured(() => runStatement(first.statement, [JSON.stringify(inputs)]))
  if (rows.length !== count) throw new Error(`${rows.length} of ${count} payments were created`)
  return ms
}

/** Interleaved batches, without the warm-up: sums, and medians, which other load of the machine affects less. */
async function createCosts() {
  const kinds = /** @type {const} */ (['plain', 'attempt', 'limits'])
  /** @type {Record<typeof kinds[number], number[]>} */
  const all = { plain: [], attempt: [], limits: [] }
  for (let round = -10; round < CREATE_ROUNDS; round++) {
    for (const kind of kinds) {
      const ms = await create(kind, CREATE_BATCH)
      if (round >= 0) all[kind].push(ms / CREATE_BATCH)
    }
  }
  await closeAll()
  const ratios = (/** @type {(values: number[]) => number} */ of) => ({
    plainMs: of(all.plain).toFixed(4),
    withProvider: (of(all.attempt) / of(all.plain)).toFixed(2),
    withLimits: (of(all.limits) / of(all.plain)).toFixed(2),
  })
  const mean = (/** @type {number[]} */ values) =>
    values.reduce((sum, each) => sum + each, 0) / values.length
  return { means: ratios(mean), medians: ratios(median) }
}

/** Ends the attempts of the first part, so that claims begin with an empty table of work. */
async function closeAll() {
  await client.query('TRUNCATE attempt_work')
  await client.query('VACUUM ANALYZE')
}

/** @param {'send' | 'query'} call */
async function claim(call) {
  const request = {
    account: ACCOUNT,
    free: BATCH,
    leaseId: v7(),
    leaseSeconds: 60,
    bucket: { burst: 1e9, refillPerSecond: 1e6 },
  }
  const run = /** @type {Run} */ (runStatement)
  const [ms, claimed] = await measured(() => claims.claim(run, call, request, false))
  return { ms, claimed, leaseId: request.leaseId }
}

/** @param {Awaited<ReturnType<typeof claim>>} claim @param {'accepted' | 'succeeded'} to */
async function conclude({ claimed, leaseId }, to) {
  const inputs = claimed.map((each, index) => ({
    nth: index,
    ...conclusionInput(ACCOUNT, {
      attemptId: each.attemptId,
      operationId: v7(),
      cause: to === 'accepted' ? 'response' : 'query',
      actor: ACCOUNT,
      to,
      transactionId: to === 'succeeded' ? each.attemptId : undefined,
      paidMinor: to === 'succeeded' ? 5_000n : undefined,
      lease: {
        id: leaseId,
        call: to === 'accepted' ? 'send' : 'query',
        claimedAt: each.claimedAt,
        missed: false,
        nextSeconds: to === 'accepted' ? 0 : undefined,
      },
    }),
  }))
  const [ms] = await measured(() => runStatement(CONCLUDE, [JSON.stringify(inputs)]))
  return ms
}

/** Attempts pass through the table of work; the first tenth is compared with the last. */
async function claimCosts() {
  const cycles = []
  for (let done = 0; done < ATTEMPTS; done += BATCH) {
    await create('attempt', BATCH)
    const send = await claim('send')
    const accepted = await conclude(send, 'accepted')
    const query = await claim('query')
    const succeeded = await conclude(query, 'succeeded')
    if (query.claimed.length !== BATCH) throw new Error(`${query.claimed.length} were claimed`)
    cycles.push({ send: send.ms, query: query.ms, conclude: accepted + succeeded })
  }
  const tenth = Math.ceil(cycles.length / 10)
  const mean = (
    /** @type {typeof cycles} */ part,
    /** @type {'send' | 'query' | 'conclude'} */ of,
  ) => part.reduce((sum, each) => sum + each[of], 0) / part.length / BATCH
  return /** @type {const} */ (['send', 'query', 'conclude']).map((of) => {
    const first = mean(cycles.slice(0, tenth), of)
    const last = mean(cycles.slice(-tenth), of)
    return `${of}: ${first.toFixed(4)}, after ${ATTEMPTS}: ${last.toFixed(4)}, ratio ${(last / first).toFixed(2)}`
  })
}

/** Every statement of the folders, by name. */
async function statements() {
  /** @type {Map<string, string>} */
  const found = new Map()
  const record = /** @type {Run} */ (
    /** @type {unknown} */ (
      async (/** @type {Statement} */ { name, text }) => {
        found.set(name, text)
        return []
      }
    )
  )
  const request = {
    account: ACCOUNT,
    free: 1,
    leaseId: v7(),
    leaseSeconds: 1,
    bucket: { burst: 1, refillPerSecond: 1 },
  }
  for (const call of /** @type {const} */ (['send', 'query'])) {
    await claims.claim(record, call, request, true)
  }
  await recordCall(record, ACCOUNT, 'send', true, { firstSeconds: 1, maxSeconds: 1 })
  await attempts.findAttempt(record, v7())
  await attempts.findAttemptOf(record, v7())
  await attempts.findUnsendable(record, [ACCOUNT], [], 1)
  await requestQuery(record, v7())
  await parked.matchParked(record, ACCOUNT, v7(), 1)
  await parked.countParked(record, ACCOUNT, new Date())
  for (const kind of /** @type {const} */ (['plain', 'attempt', 'limits'])) {
    const { statement } = await creation(kind)
    found.set(statement.name, statement.text)
  }
  for (const { name, text } of [CONCLUDE, STORE_CALLBACK]) found.set(name, text)
  return found
}
