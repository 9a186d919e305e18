/**
 * `make bench`: loads both services and a bare server (`bare-server.mjs`) by turns in one run, so that the ratios
 * hold on a machine with other load. See docs/performance.md.
 *
 * Environment variables: SECONDS of a half round, ROUNDS, CONNECTIONS, ONLY=create,get,token,revocation,charges
 * and PROFILE=1.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchCharges } from './charges.mjs'
import { amongMillion, oneClient, overload, replicas } from './scenarios.mjs'
import { probe, quantile } from './probe.mjs'
import { withServices } from './environment.mjs'
import { failed, row, table } from './table.mjs'
import { benchRevocation, benchTokens } from './tokens.mjs'
import { benchTracing } from './tracing.mjs'
import { prepare, send } from './work.mjs'

const seconds = positive('SECONDS', 3)
const rounds = positive('ROUNDS', 4)
const connections = positive('CONNECTIONS', 32)
const only = process.env.ONLY?.split(',')
const profiles = process.env.PROFILE && join(import.meta.dirname, '../.data/profiles')
const nodeOptions = profiles && `--cpu-prof --cpu-prof-dir=${profiles}`

/** Time in which V8 compiles the hot code: the CPU time of a get falls from 400 µs to 130. */
const WARM_UP_SECONDS = 15
/** Pause after each half round. */
const PAUSE_MS = 200

const { promise: aborted, reject: abort } = Promise.withResolvers()
aborted.catch(() => undefined)
const limitMs = 30 * 60_000
setTimeout(() => abort(`not finished within ${limitMs / 1_000} s`), limitMs).unref()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => abort(`stopped by ${signal}`))
const loader = fork(join(import.meta.dirname, 'load.mjs'))
loader.on('exit', () => abort('the load generator has exited'))

/** @type {string[][]} */
const rows = []
try {
  if (only?.some((name) => name !== 'charges') ?? true) {
    await withServices({ nodeOptions }, (services) => Promise.race([bench(services), aborted]))
  }
  if (only?.includes('charges') ?? true) await Promise.race([benchCharges(), aborted])
  if (profiles) console.log(`The profile of payments is in ${profiles}`)
} catch (error) {
  if (rows.length > 0) console.log(table(rows))
  console.error('bench:', error)
  process.exitCode = 1
}
// The load generator may still run.
process.exit()

/** @param {import('./environment.mjs').Services} services */
async function bench(services) {
  const works = await prepare(services, connections)
  let failures = 0
  /** @type {string[]} */
  const notes = []
  for (const work of works.filter(({ name }) => only?.includes(name) ?? true)) {
    console.error(`${work.name}: ${rounds} rounds of 2 × ${seconds} s`)
    const { warm, measured, probed } = await measure(work)
    if (work.probed) notes.push(probeNote(work.probed, probed))
    failures += failed([warm, ...measured])
    rows.push(row(work.name, measured))
  }
  if (rows.length > 0) {
    console.log(table(rows.splice(0)))
    console.log(`Medians of ${rounds} rounds of ${seconds} s with ${connections} connections`)
  }
  for (const note of notes) console.log(note)
  failures += await benchScenarios(services, works)
  for (const [name, pid] of Object.entries(services.pids)) {
    console.log(`${name}: ${peakMb(pid)} MB of resident memory at peak`)
  }
  if (failures > 0) throw new Error(`${failures} requests failed`)
  const reads = works.find(({ name }) => name === 'get')?.clientsOf(services.urls.payments) ?? []
  if (only?.includes('token') ?? true) await benchTokens(services, reads)
  if (only?.includes('revocation') ?? true) await benchRevocation(services, reads)
  if (only?.includes('tracing') ?? true)
    await benchTracing(services, works.slice(0, 2), { rounds, seconds })
}

/** Runs the scenarios of `scenarios.mjs`, and returns the number of failed requests. @param {import('./environment.mjs').Services} services @param {import('./work.mjs').Work[]} works */
async function benchScenarios(services, works) {
  const wanted = (/** @type {string} */ name) => only?.includes(name) ?? true
  const [create, get] = works
  if (!create || !get) throw new Error('create and get are not among the work')
  let failures = 0
  const measureAll = async (/** @type {import('./work.mjs').Work[]} */ some) => {
    for (const work of some) {
      console.error(`${work.name}: ${rounds} rounds of 2 × ${seconds} s`)
      const { warm, measured } = await measure(work)
      failures += failed([warm, ...measured])
      rows.push(row(work.name, measured))
    }
    console.log(table(rows.splice(0)))
  }
  if (wanted('alone')) {
    console.log('\nOne client, beside the same service with DB_BATCH_MAX=1:')
    const other = await services.startAnother('payments', { DB_BATCH_MAX: '1' })
    await measureAll(oneClient(other.url, works))
    await other.stop()
  }
  if (wanted('replicas')) {
    for (const work of [create, get]) console.log(await replicas(services, work))
  }
  if (wanted('overload')) {
    for (const work of [create, get]) {
      const { measured } = await measure(work)
      const perSecond = Math.max(...measured.map(({ ours }) => ours.perSecond))
      console.log(await overload(services, work, perSecond))
    }
  }
  if (wanted('million')) {
    console.log('\nWith a million more payments:')
    await measureAll([{ ...create, name: 'create, full' }, await amongMillion(services, get)])
  }
  return failures
}

/** Warms up both servers, then loads them by turns. @param {import('./work.mjs').Work} work */
async function measure({ ours, limit, clientsOf, probed: path }) {
  const half = async (/** @type {string} */ url, howLong = seconds) => {
    const clients = clientsOf(url)
    loader.send({ url, seconds: howLong, clients })
    const [result] = await once(loader, 'message')
    // The server still works on requests that were cut off: wait for one more request behind them.
    if (clients[0]?.[0]) await send(url, clients[0][0])
    await sleep(PAUSE_MS)
    return /** @type {import('./load.mjs').Result} */ (result)
  }
  const warm = {
    ours: await half(ours, WARM_UP_SECONDS),
    limit: await half(limit, WARM_UP_SECONDS),
  }
  const measured = []
  /** @type {Probed} */
  const probed = { ours: [], limit: [] }
  for (let i = 0; i < rounds; i++) {
    const ofOurs = path === undefined ? undefined : probe(`${ours}${path}`)
    const first = await half(ours)
    probed.ours.push(...((await ofOurs?.stop()) ?? []))
    const ofLimit = path === undefined ? undefined : probe(`${limit}${path}`)
    measured.push({ ours: first, limit: await half(limit) })
    probed.limit.push(...((await ofLimit?.stop()) ?? []))
  }
  return { warm, measured, probed }
}

/**
 * @typedef {{ ours: number[], limit: number[] }} Probed
 * @param {string} path
 * @param {Probed} probed
 */
function probeNote(path, { ours, limit }) {
  const of = (/** @type {number[]} */ times) =>
    [0.5, 0.99].map((share) => quantile(times, share).toFixed(1)).join(' and ')
  return `GET ${path} under load, p50 and p99: ${of(ours)} ms, bare ${of(limit)} ms (${ours.length} requests)`
}

/** A setting that is a positive number. @param {string} name @param {number} defaultValue */
function positive(name, defaultValue) {
  const value = Number(process.env[name] || defaultValue)
  if (value > 0) return value
  throw new Error(`${name} must be a positive number`)
}

/** The peak resident memory of a process, where /proc exists. @param {number} pid */
function peakMb(pid) {
  const path = `/proc/${pid}/status`
  const [, kilobytes] =
    /^VmHWM:\s+(\d+)/m.exec(existsSync(path) ? readFileSync(path, 'utf8') : '') ?? []
  return kilobytes === undefined ? 'an unknown number of' : (Number(kilobytes) / 1024).toFixed(0)
}
