/**
 * `node bench/shares.mjs`: the latency of one client while another one sends requests over 200 connections,
 * relative to its latency alone. Each round measures both, so that the ratios hold on a machine with other
 * load. Fails if a request of the measured client fails. See docs/performance.md.
 *
 * Environment variables: SECONDS of a half round, ROUNDS and ONLY=create,get,account,network.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withServices } from './environment.mjs'
import { quantile } from './probe.mjs'
import { median, table } from './table.mjs'
import { register, signUp, toRead } from './work.mjs'

/**
 * @typedef {import('./load.mjs').Request} Request
 * @typedef {{ times: number[], failures: number }} Measured
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} url
 * @property {Request[][]} busy the requests of each connection of the busy client
 * @property {Request[]} measured the requests of the measured client, in turn
 */

const CONNECTIONS = 200
/** Time in which V8 compiles the hot code, and the busy client fills the queues. */
const WARM_UP_SECONDS = 5
const RAMP_UP_MS = 500
const LIMIT_MS = 10 * 60_000
const HEADINGS = [
  'work',
  'p50 ms',
  'under load',
  'ratio',
  'p99 ms',
  'under load',
  'ratio',
  'busy/s',
]

const seconds = Number(process.env.SECONDS || 3)
const rounds = Number(process.env.ROUNDS || 5)
const only = process.env.ONLY?.split(',')

const limit = setTimeout(() => {
  console.error(`shares: not finished within ${LIMIT_MS / 1_000} s`)
  process.exit(1)
}, LIMIT_MS)
const loader = fork(join(import.meta.dirname, 'load.mjs'))
loader.on('exit', (code) => process.exit(code ?? 1))
/** @type {string[][]} */
const rows = []
let failures = 0
await withServices({ nodeOptions: undefined }, async (services) => {
  for (const scenario of await prepare(services)) {
    if (!(only?.includes(scenario.name) ?? true)) continue
    const row = await measure(scenario)
    console.error(row.join(' '))
    rows.push(row)
  }
})
clearTimeout(limit)
console.log(table(rows, HEADINGS))
if (failures > 0) console.error(`shares: ${failures} requests of the measured client failed`)
process.exit(failures > 0 ? 1 : 0)

/** @param {import('./environment.mjs').Services} services @returns {Promise<Scenario[]>} */
async function prepare({ urls: { auth, payments }, password, startAnother }) {
  const [busy, other] = [
    await signUp(auth, '+256772000001', password),
    await signUp(auth, '+256772000002', password),
  ]
  const [busyReads, otherReads] = [
    await toRead(payments, busy.create),
    await toRead(payments, other.create),
  ]
  const [busyLogin, otherLogin] = [
    await register(auth, '+256772000003', password),
    await register(auth, '+256772000004', password),
  ]
  // Behind a proxy, the client of a login chooses its network.
  const { url: proxied } = await startAnother('auth', { TRUSTED_PROXIES: '127.0.0.1' })
  const unknown = Array.from({ length: CONNECTIONS }, (_, i) => ({
    ...from('192.0.2.1', otherLogin),
    body: JSON.stringify({ phone: `+256773${String(i).padStart(6, '0')}`, password }),
  }))
  return [
    { name: 'create', url: payments, busy: repeat([busy.create]), measured: [other.create] },
    { name: 'get', url: payments, busy: repeat(busyReads), measured: otherReads },
    { name: 'account', url: auth, busy: repeat([busyLogin]), measured: [otherLogin] },
    {
      name: 'network',
      url: proxied,
      busy: unknown.map((login) => [login]),
      measured: [from('198.51.100.1', otherLogin)],
    },
  ]
}

/** @param {Request[]} requests */
function repeat(requests) {
  return Array.from({ length: CONNECTIONS }, () => requests)
}

/** @param {string} address @param {Request} request */
function from(address, request) {
  return { ...request, headers: { ...request.headers, 'x-forwarded-for': address } }
}

/** @param {Scenario} scenario */
async function measure({ name, url, busy, measured }) {
  console.error(`${name}: ${rounds} rounds of 2 × ${seconds} s`)
  await send(url, measured, seconds)
  await load(url, busy, WARM_UP_SECONDS)
  const all = []
  for (let i = 0; i < rounds; i++) {
    const alone = await send(url, measured, seconds)
    const loading = load(url, busy, seconds + (2 * RAMP_UP_MS) / 1_000)
    await sleep(RAMP_UP_MS)
    const loaded = await send(url, measured, seconds)
    const { perSecond } = await loading
    failures += alone.failures + loaded.failures
    all.push({ alone: alone.times, loaded: loaded.times, perSecond })
  }
  const at = (/** @type {number} */ share) => {
    const figures = all.map(({ alone, loaded }) => [
      quantile(alone, share),
      quantile(loaded, share),
    ])
    return [
      median(figures.map(([alone = NaN]) => alone)).toFixed(1),
      median(figures.map(([, loaded = NaN]) => loaded)).toFixed(1),
      median(figures.map(([alone = NaN, loaded = NaN]) => loaded / alone)).toFixed(2),
    ]
  }
  return [name, ...at(0.5), ...at(0.99), median(all.map((each) => each.perSecond)).toFixed(0)]
}

/** Sends the requests of the busy client. @param {string} url @param {Request[][]} clients @param {number} howLong */
async function load(url, clients, howLong) {
  loader.send({ url, seconds: howLong, clients })
  const [result] = await once(loader, 'message')
  return /** @type {import('./load.mjs').Result} */ (result)
}

/**
 * Sends one request after the other over one connection.
 *
 * @param {string} url
 * @param {Request[]} requests
 * @param {number} howLong seconds
 * @returns {Promise<Measured>}
 */
async function send(url, requests, howLong) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  /** @type {Measured} */
  const result = { times: [], failures: 0 }
  const end = performance.now() + howLong * 1_000
  for (let i = 0; performance.now() < end; i++) {
    const begun = performance.now()
    const status = await statusOf(url, requests[i % requests.length], agent)
    result.times.push(performance.now() - begun)
    if (status >= 300) result.failures++
  }
  agent.destroy()
  return result
}

/** @param {string} url @param {Request} request @param {Agent} agent @returns {Promise<number>} */
function statusOf(url, { method, path, headers, body }, agent) {
  return new Promise((resolve, reject) => {
    const length = body ? { 'content-length': String(Buffer.byteLength(body)) } : {}
    const options = { method, headers: { ...headers, ...length }, agent }
    const sent = httpRequest(url + path, options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
