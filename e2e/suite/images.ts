import { existsSync } from 'node:fs'
import { run } from '../cluster.ts'

/**
 * Loads images into the cluster. kind pulls public images from a registry and gets only those that were built locally. A cluster without a registry gets all images from Docker, with Debian's PgBouncer instead of the operator's.
 */

const LOAD = new URL('../../../shared/cluster/load', import.meta.url).pathname
const OWN_IMAGES = ['malipo/auth:dev', 'malipo/payments:dev', 'malipo/simulator:dev']
const OTHER_IMAGES = ['redis:8', 'postgres:18', 'ghcr.io/cloudnative-pg/postgresql:18']
const PGBOUNCER = 'malipo/pgbouncer:e2e'
const DOCKERFILE = new URL('./pgbouncer.Dockerfile', import.meta.url).pathname
const LIMIT_MS = 240_000

/** Loads the images and returns that of PgBouncer; empty for the operator's default. */
export async function loadImages(): Promise<string> {
  if (!existsSync(LOAD)) {
    const [, cluster] = /^kind-(.+)/.exec(await run('kubectl', ['config', 'current-context'])) ?? []
    const load = ['load', 'docker-image', ...OWN_IMAGES, '--name', cluster?.trim() ?? '']
    if (cluster) await run('kind', load, { timeoutMs: LIMIT_MS })
    return ''
  }
  const build = ['build', '--quiet', '--tag', PGBOUNCER, '--file', DOCKERFILE, '.']
  await run('docker', build, { timeoutMs: LIMIT_MS })
  await run(LOAD, [...OWN_IMAGES, ...OTHER_IMAGES, PGBOUNCER], { timeoutMs: LIMIT_MS })
  return PGBOUNCER
}
