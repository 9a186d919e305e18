import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../src/postgres.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-postgres-'))
const dataDir = join(folder, 'data')
const lock = join(dataDir, 'postmaster.pid')
let postgres: Postgres

beforeAll(async () => {
  postgres = await startPostgres({ dataDir, databases: ['one', 'two'] })
})
afterAll(async () => {
  await postgres.stop()
  rmSync(folder, { recursive: true })
})

async function query(sql: string, url = postgres.url('one')): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

it('runs PostgreSQL 18, which listens on TCP on this machine only', async () => {
  expect(await query('SHOW server_version')).toEqual([expect.stringMatching(/^18\./)])
  expect(await query('SHOW unix_socket_directories')).toEqual([''])
  expect(await query('SHOW listen_addresses')).toEqual(['127.0.0.1'])
  expect(await query('SELECT current_database()', postgres.url('two'))).toEqual(['two'])
})

it('rejects a connection with a wrong password', async () => {
  const url = postgres.url('one').replace(/:[^:@]+@/, ':wrong@')
  await expect(query('SELECT 1', url)).rejects.toMatchObject({ code: '28P01' })
})

it('retains committed rows after a restart and after a crash', async () => {
  await query('CREATE TABLE numbers (n int)')
  await query('INSERT INTO numbers VALUES (1)')
  await postgres.restart()
  await query('INSERT INTO numbers VALUES (2)')
  await postgres.kill()
  await expect(query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await postgres.restart()
  expect(await query('SELECT n FROM numbers ORDER BY n')).toEqual([1, 2])
})

it('starts if the process id of a stale lock belongs to another program', async () => {
  const staleLock = readFileSync(lock, 'utf8')
  await postgres.stop()
  writeFileSync(lock, staleLock.replace(/^\d+/, String(process.pid)))
  await postgres.restart()
  expect(await query('SELECT 1')).toEqual([1])
})

it('refuses a data folder that another PostgreSQL uses', async () => {
  await expect(startPostgres({ dataDir, databases: [] })).rejects.toThrow('is in use by another')
  expect(await query('SELECT 1')).toEqual([1])
})

it('reports why it can’t start', async () => {
  const { port } = postgres
  const other = { dataDir: join(folder, 'other'), port, databases: [] }
  await expect(startPostgres(other)).rejects.toThrow('Address already in use')
})
