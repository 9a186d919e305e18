import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '@malipo/kit/bootstrap'
import { dataSourceOptions } from '@malipo/kit/postgres/pool-options'
import type { Migrated } from '@malipo/kit/postgres/migrate'
import { Client } from '@malipo/testing/client'
import { freshDatabase, query } from '@malipo/testing/database'
import { DataSource } from 'typeorm'
import { inject } from 'vitest'
import { AppModule } from '../src/app.module.js'
import { dataSource } from '../src/data-source.js'
import { readEnv } from '../src/env.js'
import { until } from '@malipo/testing/until'

/** The service in this process, its HTTP client and its database. */
export interface Payments {
  readonly client: Client
  readonly databaseUrl: string
  sql: <Row extends object>(text: string, ...values: unknown[]) => Promise<Row[]>
  /** The value of a series in /metrics; 0 if the series does not exist yet. */
  metric(line: string): Promise<number>
  /** Starts another replica on the same database, Redis and auth. */
  replica(own?: Own): Promise<Payments>
  close(): Promise<void>
}

type Own = Record<string, string | undefined>

/** Two secrets of the provider `manual`, as during a rotation. */
export const SECRETS = {
  old: `whsec_${Buffer.alloc(32, 'old').toString('base64')}`,
  new: `whsec_${Buffer.alloc(32, 'new').toString('base64')}`,
} as const

/** A file with keys of token cache entries, the newest first. */
export function cacheKeysFile(...keys: readonly string[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'malipo-cache-keys-')), 'keys')
  writeFileSync(file, keys.join('\n'))
  return file
}

/** The key of all replicas, unless a test sets another. */
export const CACHE_KEY = 'a token cache key of the tests, long enough for HMAC'
const TOKEN_CACHE_KEYS_FILE = cacheKeysFile(CACHE_KEY)

/** A folder with keys of the secrets of endpoints. Each is a name, and the time from which it seals. */
export function encryptionKeysFolder(...keys: readonly (readonly [string, number])[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-encryption-keys-'))
  for (const [kid, nbf] of keys) addEncryptionKey(folder, kid, nbf)
  return folder
}

/** Adds a random key to a folder. */
export function addEncryptionKey(folder: string, kid: string, nbf: number): void {
  const key = { kty: 'oct', kid, k: randomBytes(32).toString('base64url'), nbf }
  writeFileSync(join(folder, `${kid}.json`), JSON.stringify(key))
}

const WEBHOOK_ENCRYPTION_KEYS_DIR = encryptionKeysFolder(['test', 0])

/** The environment of a service in tests. */
export function environment(own: Own = {}) {
  return {
    MODE: 'sandbox',
    LOG_LEVEL: 'silent',
    AUTH_SERVICE_URL: inject('authUrl'),
    REDIS_URL: inject('redisUrl'),
    TOKEN_CACHE_KEYS_FILE,
    WEBHOOK_ENCRYPTION_KEYS_DIR,
    WEBHOOK_SECRETS: `manual=${SECRETS.old},manual=${SECRETS.new}`,
    EGRESS_DENY_CIDRS: '10.244.0.0/16,fd00:10:244::/56',
    ...own,
  }
}

/** Starts the service on a new migrated database, or on the one in `DATABASE_URL`. */
export async function startPayments(own: Own = {}): Promise<Payments> {
  const databaseUrl = own.DATABASE_URL ?? (await freshDatabase('payments'))
  if (own.DATABASE_URL === undefined) await migrate(databaseUrl)
  const app = await listening({ ...own, DATABASE_URL: databaseUrl })
  const client = new Client(await app.getUrl())
  await untilReady(client)
  return {
    client,
    databaseUrl,
    sql: (text, ...values) => query(databaseUrl, text, values),
    metric: (line) => metric(client, line),
    replica: (other = {}) => startPayments({ ...own, ...other, DATABASE_URL: databaseUrl }),
    close: () => app.close(),
  }
}

/** Starts the service without waiting for its database. */
export async function listening(own: Own) {
  const app = await createApp(AppModule, readEnv(environment(own)))
  await app.listen(0, '127.0.0.1')
  return app
}

/** Runs the service's pending migrations, or the given migrations of another release. */
export async function migrate(
  databaseUrl: string,
  migrations: Migrated['migrations'] = dataSource.migrations,
): Promise<void> {
  const env = readEnv(environment({ DATABASE_URL: databaseUrl }))
  const options = dataSourceOptions(env, { ...dataSource, migrations })
  const source = await new DataSource(options).initialize()
  await source.runMigrations({ transaction: 'each' })
  await source.destroy()
}

/** Waits until the service is ready. */
export function untilReady(client: Client) {
  return until(async () => (await client.get('/health/ready')).status === 200)
}

/** The value of a series in /metrics; 0 if the series does not exist yet. */
export async function metric(client: Client, line: string): Promise<number> {
  const { body } = await client.get('/metrics')
  const found = String(body)
    .split('\n')
    .find((candidate) => candidate.startsWith(`${line} `))
  return Number(found?.slice(line.length + 1) ?? 0)
}
