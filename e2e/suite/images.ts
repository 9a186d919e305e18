import { existsSync } from 'node:fs'
import { run } from '../cluster.ts'

/**
 * A cluster pulls its images from a registry. One that has none is given them by a program that copies them
 * from Docker; there, too, Debian's PgBouncer stands in for the operator's.
 */

const LOAD = new URL('../../../shared/cluster/load', import.meta.url).pathname
const IMAGES = ['malipo/auth:dev', 'malipo/payments:dev', 'redis:8', 'postgres:18']
const PGBOUNCER = 'malipo/pgbouncer:e2e'
const DOCKERFILE = new URL('./pgbouncer.Dockerfile', import.meta.url).pathname
const LIMIT_MS = 240_000

/** Copies the images that the suite needs; gives that of PgBouncer, empty for the operator's own. */
export async function bringImages(): Promise<string> {
  if (!existsSync(LOAD)) return ''
  const build = ['build', '--quiet', '--tag', PGBOUNCER, '--file', DOCKERFILE, '.']
  await run('docker', build, { timeoutMs: LIMIT_MS })
  await run(LOAD, [...IMAGES, PGBOUNCER], { timeoutMs: LIMIT_MS })
  return PGBOUNCER
}
