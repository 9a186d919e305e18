import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readSnapshot } from '../src/totals/snapshot.store.js'
import {
  countAll,
  counted,
  type PaymentsDatabase,
  movePayment,
  newPaymentsDatabase,
  ownServer,
  runOn,
  truth,
  writePayment,
} from './payments-database.js'

/** Tests the SQL in docs/runbooks/payment-totals-behind.md. */

let server: Awaited<ReturnType<typeof ownServer>>
let database: PaymentsDatabase
let client: Client
beforeEach(async () => {
  server = await ownServer()
  database = await newPaymentsDatabase(server.url)
  client = await database.connection()
})
afterEach(async () => {
  await database.close()
  await server.stop()
})

async function runbookSql(name: string): Promise<string> {
  const page = new URL('../../../docs/runbooks/payment-totals-behind.md', import.meta.url)
  const [, sql] =
    new RegExp(`\`\`\`sql ${name}\n(.*?)\`\`\``, 's').exec(await readFile(page, 'utf8')) ?? []
  if (sql === undefined) throw new Error(`the runbook has no SQL named ${name}`)
  return sql
}

/** Returns whole rows of events, to show that the rebuild does not change them. */
const eventsOf = async (currency: string) => {
  const events = `SELECT payment_events::text FROM payment_events
    JOIN payments ON payments.id = payment_id WHERE currency = $1 ORDER BY 1`
  return (await client.query(events, [currency])).rows as unknown[]
}

const lagSeconds = async () => (await readSnapshot(runOn(client))).lagSeconds

it('rebuilds wrong totals while payments are written, and misses no event', async () => {
  for (let n = 0; n < 30; n++) await movePayment(client, await writePayment(client), 'PENDING')
  await countAll(client)
  await client.query('UPDATE payment_totals SET entered = entered + 7')
  const before = await eventsOf('UGX')
  const slow = await database.connection()
  await slow.query('BEGIN')
  await writePayment(slow, { currency: 'TZS' })
  const stopped = new AbortController()
  const busy = await database.connection()
  const writing = (async () => {
    for (; !stopped.signal.aborted; await sleep(1)) await writePayment(busy, { currency: 'KES' })
  })()
  await client.query(await runbookSql('rebuild'))
  stopped.abort()
  await writing
  await slow.query('COMMIT')
  await countAll(client)
  expect(await counted(client)).toEqual(await truth(client))
  expect(await eventsOf('UGX')).toEqual(before)
})

it('counts imported events once after the server has passed their transaction ids', async () => {
  await writePayment(client)
  const imported = await writePayment(client)
  // Imitates a dump from a server that has executed more transactions than this one.
  await client.query(
    `INSERT INTO payment_events
       (payment_id, version, operation_id, to_status, at, actor, cause, xid)
     VALUES ($1, 2, gen_random_uuid(), 'PENDING', now(), 'x', 'status',
             (pg_current_xact_id()::text::bigint + 20000)::text::xid8)`,
    [imported],
  )
  await client.query(
    'UPDATE payment_totals_position SET folded_through = (SELECT max(xid) FROM payment_events)',
  )
  expect(await lagSeconds()).toBe(Infinity)
  await client.query(await runbookSql('advance'))
  await client.query(await runbookSql('rebuild'))
  await writePayment(client)
  await countAll(client)
  expect(await counted(client)).toEqual(await truth(client))
  expect(await lagSeconds()).toBe(0)
})
