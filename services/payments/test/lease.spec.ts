import { createLogger } from '@malipo/kit/telemetry/logger'
import { Database } from '@malipo/kit/postgres/database'
import { transactionLease } from '@malipo/kit/postgres/lease'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import type { Run } from '@malipo/kit/postgres/statement'
import { Worker, WorkerMetrics } from '@malipo/kit/worker/worker'
import { freshDatabase, query } from '@malipo/testing/database'
import { Registry } from 'prom-client'
import { DataSource } from 'typeorm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readEnv } from '../src/env.js'
import { environment } from './payments.js'
import { until } from '@malipo/testing/until'

/** The lease of kit's workers, tested on a real PostgreSQL. */

const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep(0.005)' }
const INSERT = { name: 'insert', text: 'INSERT INTO runs (replica) VALUES ($1)' }

let url: string
let replicas: [Database, Database]
beforeEach(async () => {
  url = await freshDatabase('lease')
  await query(url, 'CREATE TABLE migrations (name text)')
  await query(url, 'CREATE TABLE runs (replica integer)')
  replicas = [newDatabase(), newDatabase()]
})
afterEach(() => Promise.all(replicas.map((database) => database.onApplicationShutdown())))

/** A database with its own pool, like that of a replica. */
function newDatabase() {
  const env = readEnv(environment({ DATABASE_URL: url, DB_POOL_MAX: '1' }))
  const source = new DataSource(dataSourceOptions(env, { entities: [], migrations: [] }))
  const database = new Database(source, env, createLogger('test', 'silent'))
  database.onApplicationBootstrap()
  return database
}

/** The id of the server process that holds the lease. */
const holderPid = async () => {
  const [row] = await query<{ pid: number }>(
    url,
    `SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
     WHERE locktype = 'advisory' AND granted AND datname = current_database()`,
  )
  return row?.pid
}

describe('a transaction lease', () => {
  it('lets one replica run at a time', async () => {
    let running = 0
    const overlaps: number[] = []
    const runs = [0, 0]
    const workers = replicas.map((database, replica) => {
      const run = async (execute: Run) => {
        overlaps.push(++running)
        await execute(SLEEP, [])
        await execute(INSERT, [replica])
        running--
        runs[replica]!++
      }
      const options = {
        name: 'test',
        intervalMs: 1,
        lease: transactionLease(database, 'test'),
        run,
      }
      return new Worker(options, createLogger('test', 'silent'), new WorkerMetrics(new Registry()))
    })
    for (const worker of workers) worker.start()
    await until(() => runs.every((count) => count >= 20))
    await Promise.all(workers.map((worker) => worker.stop()))
    expect(Math.max(...overlaps)).toBe(1)
    const [row] = await query<{ count: number }>(url, 'SELECT count(*)::integer FROM runs')
    expect(row?.count).toBe(runs[0]! + runs[1]!)
  })

  it('skips the run while another replica holds it', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const holding = transactionLease(replicas[0], 'test')(() => promise)
    await until(async () => (await holderPid()) !== undefined)
    const other = transactionLease(replicas[1], 'test')
    expect(await other(() => Promise.reject(new Error('must not run')))).toBe('held')
    const unrelated = transactionLease(replicas[1], 'another')
    expect(await unrelated(async () => 'more')).toBe('more')
    resolve()
    await holding
    expect(await other(async () => 'more')).toBe('more')
  })

  it('is free once its holder’s connection is killed, and the holder can’t write after that', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const holding = transactionLease(
      replicas[0],
      'test',
    )(async (execute) => {
      await execute(INSERT, [0])
      await promise
      await execute(INSERT, [0])
    })
    await until(async () => (await holderPid()) !== undefined)
    await query(url, 'SELECT pg_terminate_backend($1)', [await holderPid()])
    await until(async () => (await holderPid()) === undefined)
    const other = transactionLease(replicas[1], 'test')
    expect(await other(async (execute) => void (await execute(INSERT, [1])))).toBeUndefined()
    resolve()
    await expect(holding).rejects.toThrow(/released|terminat/)
    expect(await query(url, 'SELECT replica FROM runs')).toEqual([{ replica: 1 }])
  })

  it('is released when the run fails', async () => {
    const lease = transactionLease(replicas[0], 'test')
    await expect(lease(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await transactionLease(replicas[1], 'test')(async () => 'more')).toBe('more')
  })
})
