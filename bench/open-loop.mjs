/**
 * An open-loop load generator, run as a child process: it sends requests by the clock, independent of earlier
 * responses, as independent clients do. It measures from when a request was sent, and from when it was due,
 * which includes the wait for a free connection and for the generator. It uses HTTP on plain sockets, since a
 * client that costs more than the server would measure itself.
 *
 * @typedef {object} OpenLoad
 * @property {string} url
 * @property {number} seconds
 * @property {number} perSecond requests sent
 * @property {number} connections
 * @property {import('./load.mjs').Request[]} requests sent in turn
 *
 * @typedef {{ share: number, p50: number, p99: number, p99OfDue: number }} Figures share of all requests;
 * times in milliseconds
 *
 * @typedef {object} OpenResult
 * @property {Figures} accepted answered 2xx
 * @property {Figures} rejected answered 503
 * @property {number} failures anything else
 * @property {Record<string, number>} statuses the number of responses with each status
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

process.on('message', async (load) => process.send?.(await run(/** @type {OpenLoad} */ (load))))
process.on('disconnect', () => process.exit())

const TICK_MS = 2
/** Wait for responses after the last request was sent. */
const RESPONSE_TIMEOUT_MS = 20_000

/** @param {OpenLoad} load @returns {Promise<OpenResult>} */
async function run({ url, seconds, perSecond, connections, requests }) {
  const { hostname, port } = new URL(url)
  const bytes = requests.map((request) => asBytes(request, hostname))
  /** @type {Record<string, [number, number][]>} times since sent and since due by status, ms */
  const times = {}
  /** @type {number[]} due times of requests that wait for a connection */
  const queue = []
  /** @type {Connection[]} */
  const free = []
  let answered = 0
  const sockets = Array.from({ length: connections }, () => {
    const connection = new Connection(Number(port), hostname, (status, since) => {
      if (status !== undefined) {
        ;(times[status] ??= []).push(since)
        answered++
      }
      const waiting = queue.shift()
      if (waiting === undefined) free.push(connection)
      else connection.send(bytes[answered % bytes.length] ?? '', waiting)
    })
    return connection
  })
  while (free.length < connections) await sleep(TICK_MS)

  const total = Math.floor(perSecond * seconds)
  const begun = performance.now()
  for (let due = 0; due < total; await sleep(TICK_MS)) {
    const wanted = Math.min(total, ((performance.now() - begun) / 1_000) * perSecond)
    for (; due < wanted; due++) {
      const at = begun + (due / perSecond) * 1_000
      const connection = free.pop()
      if (connection) connection.send(bytes[due % bytes.length] ?? '', at)
      else queue.push(at)
    }
  }
  const isDone = () => answered === total
  for (let ms = 0; ms < RESPONSE_TIMEOUT_MS && !isDone(); ms += TICK_MS) await sleep(TICK_MS)
  for (const connection of sockets) connection.end()
  const ok = [...(times['200'] ?? []), ...(times['201'] ?? [])]
  const rejected = times['503'] ?? []
  return {
    accepted: figures(ok, total),
    rejected: figures(rejected, total),
    failures: total - ok.length - rejected.length,
    statuses: Object.fromEntries(
      Object.entries(times).map(([status, { length }]) => [status, length]),
    ),
  }
}

/** @param {[number, number][]} times @param {number} total */
function figures(times, total) {
  const at = (/** @type {0 | 1} */ which, /** @type {number} */ share) =>
    times.map((since) => since[which]).toSorted((a, b) => a - b)[
      Math.floor(times.length * share)
    ] ?? NaN
  return { share: times.length / total, p50: at(0, 0.5), p99: at(0, 0.99), p99OfDue: at(1, 0.99) }
}

/** A keep-alive connection with one request at a time. */
class Connection {
  #dueAt = NaN
  #sentAt = NaN
  #received = ''

  /**
   * @param {number} port
   * @param {string} host
   * @param {(status: string | undefined, since: [number, number]) => void} onFree called when it is connected and after each response
   */
  constructor(port, host, onFree) {
    this.socket = connect(port, host).setNoDelay(true)
    this.socket.on('connect', () => onFree(undefined, [NaN, NaN]))
    // Requests of a lost connection count as failures.
    this.socket.on('error', () => undefined)
    this.socket.on('data', (data) => {
      this.#received += data.toString('latin1')
      const end = this.#received.indexOf('\r\n\r\n')
      const [, length] = /content-length: (\d+)/i.exec(this.#received.slice(0, end)) ?? []
      if (end < 0 || this.#received.length < end + 4 + Number(length)) return
      const status = this.#received.slice(9, 12)
      this.#received = ''
      const now = performance.now()
      onFree(status, [now - this.#sentAt, now - this.#dueAt])
    })
  }

  /** @param {string} bytes @param {number} dueAt */
  send(bytes, dueAt) {
    this.#dueAt = dueAt
    this.#sentAt = performance.now()
    this.socket.write(bytes)
  }

  end() {
    this.socket.destroy()
  }
}

/** @param {import('./load.mjs').Request} request @param {string} host */
function asBytes({ method, path, headers, body = '' }, host) {
  const length = body ? { 'content-length': String(Buffer.byteLength(body)) } : {}
  const lines = Object.entries({ host, ...headers, ...length }).map(([k, v]) => `${k}: ${v}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}
