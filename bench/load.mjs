/**
 * The closed-loop load generator, run as a child process: it receives a load as a message, runs it with
 * autocannon and sends the result back.
 *
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} headers
 * @property {string} [body]
 * @property {boolean} [keyed] whether each request has a new Idempotency-Key
 *
 * @typedef {object} Load
 * @property {string} url
 * @property {number} seconds
 * @property {Request[][]} clients the requests that each connection sends in turn
 *
 * @typedef {object} Result
 * @property {number} count responses of any status
 * @property {number} perSecond
 * @property {number} p50 milliseconds
 * @property {number} p99 milliseconds
 * @property {number} failures responses other than 2xx, errors and timeouts
 */
import { randomUUID } from 'node:crypto'
import autocannon from 'autocannon'

process.on('message', async (load) => process.send?.(await run(/** @type {Load} */ (load))))
process.on('disconnect', () => process.exit())

/**
 * @param {Load} load
 * @returns {Promise<Result>}
 */
async function run({ url, seconds, clients }) {
  /** @type {number[]} */
  const times = []
  let next = 0
  const load = autocannon({
    url,
    connections: clients.length,
    duration: seconds,
    sampleInt: 100,
    setupClient: (client) => client.setRequests((clients[next++] ?? []).map(asSent)),
  })
  // autocannon's histogram only has whole milliseconds.
  load.on('response', (_client, _status, _bytes, time) => times.push(time))
  const { duration, errors, timeouts, non2xx } = await load
  times.sort((a, b) => a - b)
  return {
    count: times.length,
    perSecond: times.length / duration,
    p50: times[Math.floor(times.length * 0.5)] ?? NaN,
    p99: times[Math.floor(times.length * 0.99)] ?? NaN,
    failures: errors + timeouts + non2xx,
  }
}

/**
 * @param {Request} request
 * @returns {autocannon.Request}
 */
function asSent({ keyed, ...request }) {
  return keyed ? { ...request, setupRequest: withKey } : request
}

/** @param {autocannon.Request} request */
function withKey(request) {
  return { ...request, headers: { ...request.headers, 'idempotency-key': randomUUID() } }
}
