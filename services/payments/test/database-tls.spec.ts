import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '@malipo/local/postgres'
import { chownTree, postgresUser } from '@malipo/local/postgres-user'
import { runToEnd, startService } from '@malipo/local/process'
import { createCertificate } from '@malipo/testing/certificate'
import { query } from '@malipo/testing/database'
import { startProxy } from '@malipo/testing/proxy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environment } from './payments.js'

/** A PostgreSQL whose certificate is signed by a private CA. */

let folder: string
let postgres: Postgres
let caFile: string
let otherCaFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malipo-tls-'))
  const own = await createCertificate(folder, 'DNS:localhost')
  caFile = own.cert
  const otherFolder = await mkdtemp(join(folder, 'other-'))
  otherCaFile = (await createCertificate(otherFolder, 'DNS:localhost')).cert
  chownTree(postgresUser(), folder)
  const settings = ['ssl=on', `ssl_cert_file=${own.cert}`, `ssl_key_file=${own.key}`, 'fsync=off']
  postgres = await startPostgres({
    dataDir: join(folder, 'db'),
    databases: ['payments'],
    flags: settings.flatMap((setting) => ['-c', setting]),
  })
  await runToEnd({ name: 'payments', script: 'migrate', env: { DATABASE_URL: url() } })
})
afterAll(async () => {
  await postgres?.stop()
  await rm(folder, { recursive: true, force: true })
})

const url = (parameters = '') =>
  `${postgres.url('payments').replace('127.0.0.1', 'localhost')}${parameters}`

async function start(own: Record<string, string>, ready: boolean) {
  const env = environment({ LOG_LEVEL: 'warn', DB_WAIT_MS: '500', ...own })
  return startService({ name: 'payments', env, ready })
}

const CONNECTIONS = `
SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
 WHERE datname = 'payments' AND pid <> pg_backend_pid()`

describe('the connection to the database', () => {
  it.each<[string, Record<string, string>]>([
    ['?sslmode=require', {}],
    ['?sslmode=verify-full', {}],
    ['?sslmode=verify-ca', {}],
    ['', { DB_SSL: 'true' }],
    ['', {}],
  ])('has TLS with %j, %j and a CA file', async (parameters, own) => {
    const service = await start(
      { DATABASE_URL: url(parameters), ...own, DB_SSL_CA_FILE: caFile },
      true,
    )
    try {
      const connections = await query<{ ssl: boolean }>(postgres.url('postgres'), CONNECTIONS)
      expect(new Set(connections.map(({ ssl }) => ssl))).toEqual(new Set([true]))
    } finally {
      await service.stop()
    }
  })

  it.each(['?sslmode=require', '?sslmode=verify-ca', ''])(
    'is refused with %j and the file of another CA, and the log says why',
    async (parameters) => {
      const own = { DATABASE_URL: url(parameters), DB_SSL_CA_FILE: otherCaFile }
      const service = await start(own, false)
      try {
        await expect
          .poll(() => service.output(), { timeout: 20_000 })
          .toMatch(/self-signed certificate|unable to verify/)
        expect((await fetch(`${service.url}/health/ready`)).status).toBe(503)
        expect(service.output()).not.toContain(new URL(url()).password)
      } finally {
        await service.stop()
      }
    },
  )

  it('opens over a network with a round trip of 1 s', async () => {
    const proxy = await startProxy(postgres.port)
    proxy.slow(1_000)
    const through = new URL(url())
    through.port = String(proxy.port)
    const service = await startService({
      name: 'payments',
      env: environment({ DATABASE_URL: through.href, DB_SSL_CA_FILE: caFile }),
      readyLimitMs: 60_000,
    })
    try {
      const connections = await query<{ ssl: boolean }>(postgres.url('postgres'), CONNECTIONS)
      expect(new Set(connections.map(({ ssl }) => ssl))).toEqual(new Set([true]))
    } finally {
      await service.stop()
      await proxy.close()
    }
  }, 90_000)
})
