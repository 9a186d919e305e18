import { v7 } from 'uuid'
import type { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Run } from '@malipo/kit/postgres/database'
import {
  CIRCUIT_FAILURES,
  MAX_IN_FLIGHT,
  MAX_PER_ENDPOINT,
  MAX_SLOW,
} from '../src/deliveries/limits.js'
import { releaseDelivery } from '../src/deliveries/claim.store.js'
import { recordTry } from '../src/deliveries/record.store.js'
import { verdictOf } from '../src/deliveries/try-verdict.js'
import { batchOn } from './attempts-database.js'
import { claimOn, countsOf, endpointWithWork, insertEndpoint, insertWork } from './delivery-work.js'
import { newPaymentsDatabase, type PaymentsDatabase } from './payments-database.js'

let database: PaymentsDatabase
let client: Client
let run: Run

beforeEach(async () => {
  database = await newPaymentsDatabase()
  client = await database.connection()
  run = batchOn(client)
})
afterEach(() => database.close())

const sql = async (text: string) => (await client.query(text)).rows as Record<string, unknown>[]
const byEndpoint = (claimed: Awaited<ReturnType<typeof claimOn>>) =>
  countsOf(claimed, ({ endpointId }) => endpointId)
const byOwner = (claimed: Awaited<ReturnType<typeof claimOn>>) =>
  countsOf(claimed, ({ ownerId }) => ownerId)

type Claimed = Awaited<ReturnType<typeof claimOn>>[number]

function record(claimed: Claimed, leaseId: string, status: number) {
  const answered = { kind: 'answered', status, retryAfterSeconds: undefined, answer: '', tookMs: 5 }
  return recordTry(run, {
    ...verdictOf(answered as Parameters<typeof verdictOf>[0]),
    deliveryId: claimed.deliveryId,
    endpointId: claimed.endpointId,
    operationId: v7(),
    resendId: null,
    leaseId,
    at: new Date(),
    nextSeconds: 5,
    scale: 1,
  })
}

describe('a claim', () => {
  it('takes few of an endpoint with many, and all of the others', async () => {
    const many = await endpointWithWork(client, 1_000)
    const few = await endpointWithWork(client, 2)
    const claimed = await claimOn(run)
    expect(byEndpoint(claimed)).toEqual({ [many]: MAX_PER_ENDPOINT, [few]: 2 })
  })

  it('serves merchants in turn, also one with a single endpoint beside one with 16', async () => {
    const [rich, poor] = [v7(), v7()]
    for (let nth = 0; nth < 16; nth++) await endpointWithWork(client, 10, { ownerId: rich })
    await endpointWithWork(client, 10, { ownerId: poor })
    expect(byOwner(await claimOn(run, { free: 8 }))).toEqual({ [rich]: 4, [poor]: 4 })
  })

  it('serves the endpoints of a merchant in turn', async () => {
    const ownerId = v7()
    for (let nth = 0; nth < 3; nth++) await endpointWithWork(client, 10, { ownerId })
    expect(Object.values(byEndpoint(await claimOn(run, { free: 6 })))).toEqual([2, 2, 2])
  })

  it('counts the tries that are under way', async () => {
    const [busyOwner, idleOwner] = [v7(), v7()]
    const endpointId = await endpointWithWork(client, 10, { ownerId: busyOwner })
    await endpointWithWork(client, 10, { ownerId: busyOwner })
    const idle = await endpointWithWork(client, 10, { ownerId: idleOwner })
    const busy = [{ endpointId, ownerId: busyOwner, tries: 3 }]
    expect(byEndpoint(await claimOn(run, { free: 3, busy }))).toEqual({ [idle]: 3 })
    const claimed = await claimOn(run, { busy })
    expect(byEndpoint(claimed)[endpointId]).toBe(MAX_PER_ENDPOINT - 3)
  })

  it('gives slow endpoints a quarter of the slots, and the others the rest', async () => {
    for (let nth = 0; nth < 30; nth++) await endpointWithWork(client, 10, { isSlow: true })
    for (let nth = 0; nth < 30; nth++) await endpointWithWork(client, 10)
    const bySpeed = (claimed: Claimed[]) => countsOf(claimed, ({ isSlow }) => String(isSlow))
    expect(bySpeed(await claimOn(run))).toEqual({ true: MAX_SLOW, false: MAX_IN_FLIGHT - MAX_SLOW })
    expect(bySpeed(await claimOn(run, { free: 10, freeSlow: 0 }))).toEqual({ false: 10 })
  })

  it('serves a merchant with one slow endpoint although others have many', async () => {
    for (let nth = 0; nth < 2; nth++) {
      const ownerId = v7()
      for (let own = 0; own < 16; own++)
        await endpointWithWork(client, 4, { ownerId, isSlow: true })
    }
    const single = await endpointWithWork(client, 4, { isSlow: true })
    expect(byEndpoint(await claimOn(run, { freeSlow: 3 }))[single]).toBe(1)
  })

  it('takes nothing of a disabled or deleted endpoint, or of a later format', async () => {
    await endpointWithWork(client, 3)
    await sql(`UPDATE webhook_endpoints SET state = 'disabled', disabled_reason = 'merchant'`)
    expect(await claimOn(run)).toEqual([])
    await sql(`UPDATE webhook_endpoints SET state = 'deleted', disabled_reason = NULL`)
    expect(await claimOn(run)).toEqual([])
    await sql(`UPDATE webhook_endpoints SET state = 'enabled'`)
    await sql('UPDATE delivery_work SET format = 2')
    expect(await claimOn(run)).toEqual([])
  })

  it('takes none before it is due', async () => {
    const id = await insertEndpoint(client)
    await insertWork(client, id, 3, 60)
    expect(await claimOn(run)).toEqual([])
  })
})

describe('a lease', () => {
  it('is found again by a claim whose answer was lost, which takes no others', async () => {
    await endpointWithWork(client, MAX_PER_ENDPOINT)
    await endpointWithWork(client, MAX_PER_ENDPOINT)
    const leaseId = v7()
    const first = await claimOn(run, { free: 3, leaseId })
    const again = await claimOn(run, { free: 3, leaseId }, true)
    const ids = (claimed: Claimed[]) => claimed.map(({ deliveryId }) => deliveryId).toSorted()
    expect(ids(again)).toEqual(ids(first))
    expect(first).toHaveLength(3)
    expect(again.every(({ tries }) => tries === 1)).toBe(true)
    // The claim that was lost before its commit claims now.
    expect(await claimOn(run, {}, true)).toHaveLength(2 * MAX_PER_ENDPOINT - 3)
  })

  it('hides a delivery until it ends, and then another replica repeats it', async () => {
    await endpointWithWork(client, 1)
    const [frozen, other] = [v7(), v7()]
    const [first] = await claimOn(run, { leaseId: frozen })
    expect(await claimOn(run)).toEqual([])
    await sql(`UPDATE delivery_work SET due_at = now() - interval '1 second'`)
    const [second] = await claimOn(run, { leaseId: other })
    expect(second).toMatchObject({ deliveryId: first?.deliveryId, tries: 2 })
    // The late failure of the first replica does not move the try of the second one.
    expect(await record(first as Claimed, frozen, 500)).toBe('pending')
    expect(await claimOn(run)).toEqual([])
    expect(await sql('SELECT lease_id FROM delivery_work')).toEqual([{ lease_id: other }])
    await releaseDelivery(run, (first as Claimed).deliveryId, frozen)
    expect(await sql('SELECT lease_id FROM delivery_work')).toEqual([{ lease_id: other }])
    // Its late success counts: the endpoint has the notification.
    expect(await record(first as Claimed, frozen, 200)).toBe('delivered')
    expect(await sql('SELECT count(*)::integer FROM delivery_work')).toEqual([{ count: 0 }])
    expect(await record(second as Claimed, other, 500)).toBe('delivered')
    expect(await sql('SELECT state, tries FROM deliveries')).toEqual([
      { state: 'delivered', tries: 3 },
    ])
  })
})

describe('two replicas', () => {
  it('never claim a delivery twice', async () => {
    for (let nth = 0; nth < 10; nth++) await endpointWithWork(client, 100)
    const claimed: string[] = []
    const replica = async () => {
      const own = batchOn(await database.connection())
      for (let empty = 0; empty < 20;) {
        const found = await claimOn(own, { free: 10 })
        claimed.push(...found.map(({ deliveryId }) => deliveryId))
        empty = found.length === 0 ? empty + 1 : 0
      }
    }
    await Promise.all([replica(), replica(), replica()])
    expect(claimed).toHaveLength(1_000)
    expect(new Set(claimed).size).toBe(1_000)
  })

  it('do not wait for one another', async () => {
    await endpointWithWork(client, 2 * MAX_PER_ENDPOINT)
    const second = await endpointWithWork(client, 1)
    const other = await database.connection()
    await other.query('BEGIN')
    await other.query('SELECT FROM delivery_work WHERE endpoint_id <> $1 FOR UPDATE', [second])
    await client.query(`SET statement_timeout = '5s'`)
    expect(byEndpoint(await claimOn(run))).toEqual({ [second]: 1 })
    await other.query('ROLLBACK')
  })

  it('send one probe to an endpoint whose circuit is open, and the next one after its pause', async () => {
    const id = await endpointWithWork(client, 50, { failures: CIRCUIT_FAILURES })
    const [first, second] = await Promise.all([database.connection(), database.connection()])
    for (const connection of [first, second]) await connection.query('BEGIN')
    const probes = [...(await claimOn(batchOn(first))), ...(await claimOn(batchOn(second)))]
    for (const connection of [first, second]) await connection.query('COMMIT')
    expect(probes).toHaveLength(1)
    expect(await claimOn(run)).toEqual([])
    await sql('UPDATE webhook_endpoint_health SET open_until = now()')
    const leaseId = v7()
    const [next] = await claimOn(run, { leaseId })
    expect(next?.endpointId).toBe(id)
    // A probe that succeeds closes the circuit.
    expect(await record(next as Claimed, leaseId, 204)).toBe('delivered')
    expect(await claimOn(run)).toHaveLength(MAX_PER_ENDPOINT)
  })

  it('send one probe also when both claim at the same time', async () => {
    for (let round = 0; round < 20; round++) {
      await sql('TRUNCATE delivery_work, deliveries')
      await endpointWithWork(client, 50, { failures: CIRCUIT_FAILURES })
      const replicas = await Promise.all([database.connection(), database.connection()])
      const claimed = await Promise.all(replicas.map((each) => claimOn(batchOn(each))))
      expect(claimed.flat()).toHaveLength(1)
    }
  })
})

describe('the statements of deliveries', () => {
  /** The blocks that a statement reads and its plan, for parameters that are not known to the planner. */
  async function explained(statement: (explain: Run) => Promise<unknown>) {
    let plan = ''
    const explain: Run = async ({ text, batched }, values) => {
      const sent = batched ? [JSON.stringify([{ nth: 0, ...(values[0] as object) }])] : [...values]
      const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, sent)
      plan = JSON.stringify(rows[0]['QUERY PLAN'])
      return []
    }
    await client.query('SET plan_cache_mode = force_generic_plan')
    await statement(explain)
    const hits = Number(/"Shared Hit Blocks":(\d+)/.exec(plan)?.[1])
    const reads = Number(/"Shared Read Blocks":(\d+)/.exec(plan)?.[1])
    const scans = [...plan.matchAll(/"Node Type":"Seq Scan"[^{}]*?"Relation Name":"(\w+)"/g)]
    return { blocks: hits + reads, scanned: scans.map(([, name]) => name) }
  }
  const LARGE = ['delivery_work', 'deliveries', 'delivery_tries', 'notifications']
  const large = (scanned: readonly (string | undefined)[]) =>
    scanned.filter((name) => LARGE.includes(name ?? ''))

  async function fillTables() {
    await sql(`
      INSERT INTO deliveries (id, notification_id, endpoint_id, state, tries, created_at, delivered_at)
      SELECT uuidv7(), gen_random_uuid(), gen_random_uuid(), 'delivered', 1, now(), now()
      FROM generate_series(1, 50000)`)
    await sql(`
      INSERT INTO delivery_tries (delivery_id, nth, operation_id, at, took_ms, status)
      SELECT id, 1, gen_random_uuid(), now(), 5, 200 FROM deliveries`)
    const many = await endpointWithWork(client, 20_000)
    for (let nth = 0; nth < 20; nth++) await endpointWithWork(client, 100)
    return many
  }

  it.each(['with', 'without'])('read few rows of many, %s statistics', async (which) => {
    // The planner's default for a table without statistics stays until the first ANALYZE.
    await sql('ALTER TABLE delivery_work SET (autovacuum_enabled = false)')
    await sql('ALTER TABLE deliveries SET (autovacuum_enabled = false)')
    await fillTables()
    if (which === 'with') await sql('ANALYZE')
    const claim = await explained((explain) => claimOn(explain, { free: 20 }))
    expect(large(claim.scanned)).toEqual([])
    expect(claim.blocks).toBeLessThan(2_500)
    const leaseId = v7()
    const [claimed] = await claimOn(run, { leaseId })
    const found = await explained((explain) => claimOn(explain, { leaseId }, true).catch(() => 0))
    expect(large(found.scanned)).toEqual([])
    const recorded = await explained((explain) =>
      recordTry(explain, {
        ...verdictOf({
          kind: 'answered',
          status: 200,
          retryAfterSeconds: undefined,
          answer: '',
          tookMs: 5,
        }),
        deliveryId: (claimed as Claimed).deliveryId,
        endpointId: (claimed as Claimed).endpointId,
        operationId: v7(),
        resendId: null,
        leaseId,
        at: new Date(),
        nextSeconds: 5,
        scale: 1,
      }),
    )
    expect(large(recorded.scanned)).toEqual([])
    expect(recorded.blocks).toBeLessThan(200)
    const release = await explained((explain) =>
      releaseDelivery(explain, (claimed as Claimed).deliveryId, leaseId),
    )
    expect(large(release.scanned)).toEqual([])
    expect(release.blocks).toBeLessThan(100)
  })
})
