import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@malipo/local/postgres'
import { startRedis } from '@malipo/local/redis'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of the database `postgres`, with the superuser's credentials. */
    postgresUrl: string
    redisUrl: string
  }
}

/** Starts one PostgreSQL and one Redis per project; each test file creates a separate database. */
export default async function setup(project: TestProject) {
  const folder = await mkdtemp(join(tmpdir(), 'malipo-test-'))
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    databases: [],
    // `fsync` is off, because no test covers durability on disk.
    flags: ['-c', 'fsync=off', '-c', 'max_connections=200'],
  })
  const redis = await startRedis()
  if (!redis) throw new Error('the tests need redis-server or valkey-server on the PATH')
  project.provide('postgresUrl', postgres.url('postgres'))
  project.provide('redisUrl', redis.url)
  return async () => {
    await Promise.all([redis.stop(), postgres.stop()])
    await rm(folder, { recursive: true, force: true })
  }
}
