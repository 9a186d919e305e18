/** What a load costs a service. The CPU of PostgreSQL, Redis and other services is not counted. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { metric } from './work.mjs'

/** The service still works on requests that the load generator cut off. */
const PAUSE_MS = 200

/**
 * @param {import('node:child_process').ChildProcess | undefined} loader runs load.mjs
 * @param {import('./load.mjs').Load} load
 * @returns {Promise<import('./load.mjs').Result & { micros: number }>} the CPU of each request, in microseconds
 */
export async function costOfLoad(loader, load) {
  const before = await metric(load.url, 'process_cpu_seconds_total')
  loader?.send(load)
  const [result] = await once(/** @type {never} */ (loader), 'message')
  const used = (await metric(load.url, 'process_cpu_seconds_total')) - before
  await sleep(PAUSE_MS)
  return { ...result, micros: (used * 1e6) / result.count }
}
