import { existsSync } from 'node:fs'
import { run } from '../cluster.ts'

/**
 * A cluster pulls its images from a registry, but not the two that were built here: kind is given those. A
 * cluster without a registry is given all of them by a program that copies them from Docker; there, too,
 * Debian's PgBouncer stands in for the operator's.
 */

const LOAD = new URL('../../../shared/cluster/load', import.meta.url).pathname
const OWN = ['malipo/auth:dev', 'malipo/payments:dev']
const OTHERS = ['redis:8', 'postgres:18', 'ghcr.io/cloudnative-pg/postgresql:18']
const PGBOUNCER = 'malipo/pgbouncer:e2e'
const DOCKERFILE = new URL('./pgbouncer.Dockerfile', import.meta.url).pathname
const LIMIT_MS = 240_000

/** Copies the images that the suite needs; gives that of PgBouncer, empty for the operator's own. */
export async function bringImages(): Promise<string> {
  if (!existsSync(LOAD)) {
    const [, cluster] = /^kind-(.+)/.exec(await run('kubectl', ['config', 'current-context'])) ?? []
    const load = ['load', 'docker-image', ...OWN, '--name', cluster?.trim() ?? '']
    if (cluster) await run('kind', load, { timeoutMs: LIMIT_MS })
    return ''
  }
  const build = ['build', '--quiet', '--tag', PGBOUNCER, '--file', DOCKERFILE, '.']
  await run('docker', build, { timeoutMs: LIMIT_MS })
  await run(LOAD, [...OWN, ...OTHERS, PGBOUNCER], { timeoutMs: LIMIT_MS })
  return PGBOUNCER
}
