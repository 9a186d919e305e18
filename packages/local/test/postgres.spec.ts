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

it('is PostgreSQL 18, reached over TCP on this machine alone', async () => {
  expect(await query('SHOW server_version')).toEqual([expect.stringMatching(/^18\./)])
  expect(await query('SHOW unix_socket_directories')).toEqual([''])
  expect(await query('SHOW listen_addresses')).toEqual(['127.0.0.1'])
  expect(await query('SELECT current_database()', postgres.url('two'))).toEqual(['two'])
})

it('lets nobody in without its password', async () => {
  const url = postgres.url('one').replace(/:[^:@]+@/, ':wrong@')
  await expect(query('SELECT 1', url)).rejects.toMatchObject({ code: '28P01' })
})

it('keeps what was committed over a restart and over a crash', async () => {
  await query('CREATE TABLE kept (n int)')
  await query('INSERT INTO kept VALUES (1)')
  await postgres.restart()
  await query('INSERT INTO kept VALUES (2)')
  await postgres.kill()
  await expect(query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await postgres.restart()
  expect(await query('SELECT n FROM kept ORDER BY n')).toEqual([1, 2])
})

it('starts over a lock whose number is by now another program’s', async () => {
  const left = readFileSync(lock, 'utf8')
  await postgres.stop()
  writeFileSync(lock, left.replace(/^\d+/, String(process.pid)))
  await postgres.restart()
  expect(await query('SELECT 1')).toEqual([1])
})

it('refuses a folder that another PostgreSQL works in', async () => {
  await expect(startPostgres({ dataDir, databases: [] })).rejects.toThrow('is in use by another')
  expect(await query('SELECT 1')).toEqual([1])
})

it('says why it can’t start', async () => {
  const { port } = postgres
  const other = { dataDir: join(folder, 'other'), port, databases: [] }
  await expect(startPostgres(other)).rejects.toThrow('Address already in use')
})
