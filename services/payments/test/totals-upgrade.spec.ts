import { runToEnd } from '@malipo/local/process'
import { dataSourceOptions } from '@malipo/kit/postgres/connection'
import { freshDatabase } from '@malipo/testing/database'
import type { Client } from 'pg'
import { DataSource } from 'typeorm'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { figures } from '../src/totals/figures.store.js'
import {
  countAll,
  counted,
  foldAll,
  type Ledger,
  ledgerAt,
  movePayment,
  runOn,
  truth,
  writePayment,
} from './ledger.js'
import { environment } from './payments.js'
import { until } from './until.js'

/** Totals come to a database that has payments, while the release before goes on. */

let ledger: Ledger
let client: Client
beforeEach(async () => {
  const url = await freshDatabase('payments')
  const migrations = dataSource.migrations.slice(0, 1)
  const options = dataSourceOptions(readEnv(environment({ DATABASE_URL: url })), {
    ...dataSource,
    migrations,
  })
  const source = await new DataSource(options).initialize()
  await source.runMigrations()
  await source.destroy()
  ledger = ledgerAt(url)
  client = await ledger.connection()
})
afterEach(() => ledger.close())

/** As an init container does it, in a process of its own. */
const migrated = () =>
  runToEnd({ name: 'payments', script: 'migrate', env: { DATABASE_URL: ledger.url } })

it('counts what was there and what the release before writes meanwhile and after', async () => {
  for (let n = 0; n < 30; n++) await writePayment(client, { amount: n + 1 })
  const [old] = (await client.query<{ id: string }>('SELECT id FROM payments LIMIT 1')).rows
  const over = new AbortController()
  let written = 0
  const before = await ledger.connection()
  const writing = (async () => {
    for (; !over.signal.aborted; written++) {
      const id = await writePayment(before, { currency: 'KES' })
      if (written % 3 === 0) await movePayment(before, id, 'PENDING')
    }
  })()
  // Of several replicas that start at once one migrates.
  await Promise.all([migrated(), migrated(), migrated()])
  const sofar = written
  await until(() => written > sofar + 20)
  over.abort()
  await writing
  await movePayment(client, old!.id, 'PENDING')
  expect(await figures(runOn(client), 'payments_entered')).toEqual([])
  await countAll(client, 7)
  expect(await counted(client)).toEqual(await truth(client))
  const told = await figures(runOn(client), 'payments_entered')
  expect(told).toHaveLength(Object.keys(await truth(client)).length)
  const { rows } = await client.query(
    `SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
      WHERE indisvalid AND relname IN ('payment_events_xid_idx', 'payments_open_idx')`,
  )
  expect(rows).toHaveLength(2)
}, 60_000)

it('does not make others queue behind somebody who holds the table', async () => {
  const dump = await ledger.connection()
  await dump.query('BEGIN')
  await dump.query('SELECT FROM payment_events')
  const began = Date.now()
  await expect(migrated()).rejects.toThrow(/lock timeout/)
  expect(Date.now() - began).toBeLessThan(10_000)
  await dump.query('COMMIT')
  await migrated()
}, 60_000)

it('says that it is a copy of another server, and can be made to count again', async () => {
  await migrated()
  await writePayment(client)
  await countAll(client)
  // What a dump of a server that has seen more transactions looks like, once it is restored.
  await client.query(`UPDATE payment_totals_bookmark SET folded_through = '900000000000'`)
  await writePayment(client)
  await foldAll(client)
  expect(await counted(client)).not.toEqual(await truth(client))
  expect(await figures(runOn(client), 'payment_totals')).toEqual([{ lag_seconds: Infinity }])
  await client.query(COUNT_AGAIN)
  expect(await figures(runOn(client), 'payments_entered')).toEqual([])
  await countAll(client)
  expect(await counted(client)).toEqual(await truth(client))
  expect(await figures(runOn(client), 'payment_totals')).toEqual([{ lag_seconds: 0 }])
}, 60_000)

/** From docs/runbooks/payment-totals-behind.md. */
const COUNT_AGAIN = `
BEGIN;
LOCK TABLE payment_events IN EXCLUSIVE MODE;
ALTER TABLE payment_events DISABLE TRIGGER payment_events_append_only;
UPDATE payment_events SET xid = NULL WHERE xid IS NOT NULL;
ALTER TABLE payment_events ENABLE TRIGGER payment_events_append_only;
TRUNCATE payment_totals;
UPDATE payment_totals_bookmark
   SET folded_through = '0', old_version = 0,
       old_payment_id = '00000000-0000-0000-0000-000000000000';
COMMIT;
`
