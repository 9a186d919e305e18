/**
 * What tracing costs: payments without a collector, with one and the default part of the traces, and with all
 * traces recorded, by turns in one run. The share of the requests per second is what a client sees; the CPU of
 * the process for a request says the same where the machine does other things too.
 *
 * @typedef {import('./stage.mjs').Stage} Stage
 * @typedef {import('./work.mjs').Work} Work
 * @typedef {import('./load.mjs').Result} Result
 * @typedef {{ perSecond: number, micros: number }} Cost
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './table.mjs'
import { metric } from './work.mjs'

/** Of the default, in requests per second or, on a busy machine, in CPU. */
const MOST_SHARE = 0.1
/** A process that has just started interprets most of its code. */
const WARM_UP_SECONDS = 4

/**
 * @param {Stage} stage
 * @param {Work[]} works
 * @param {{ rounds: number, seconds: number }} times
 */
export async function benchTracing(stage, works, { rounds, seconds }) {
  const [loader, collector] = ['load.mjs', 'collector.mjs'].map((file) =>
    fork(join(import.meta.dirname, file)),
  )
  try {
    const [endpoint] = await once(/** @type {never} */ (collector), 'message')
    const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }
    const settings = [{}, traced, { ...traced, OTEL_TRACES_SAMPLER_ARG: '1' }]
    console.log(`\nTracing, medians of ${rounds} rounds of ${seconds} s each, by turns:`)
    const shares = []
    for (const { name, ours, clientsOf } of works) {
      const clients = clientsOf(ours)
      /** @type {Cost[][]} */
      const measured = []
      for (let i = 0; i < rounds; i++) {
        /** @type {Cost[]} */
        const round = []
        // Two processes of one code differ by a third for as long as they live, so each round has its own; and
        // who comes first is another one each time.
        for (let turn = 0; turn < settings.length; turn++) {
          const which = (turn + i) % settings.length
          const service = await stage.also('payments', settings[which] ?? {})
          await costOf(service.url, clients, WARM_UP_SECONDS, loader)
          round[which] = await costOf(service.url, clients, seconds, loader)
          await service.stop()
        }
        measured.push(round)
      }
      shares.push(tell(name, measured))
    }
    if (Math.max(...shares) > MOST_SHARE) throw new Error('tracing costs more than 10 %')
  } finally {
    loader?.disconnect()
    collector?.disconnect()
  }
}

/**
 * @param {string} url
 * @param {import('./load.mjs').Request[][]} clients
 * @param {number} seconds
 * @param {import('node:child_process').ChildProcess | undefined} loader
 * @returns {Promise<Cost>}
 */
async function costOf(url, clients, seconds, loader) {
  const before = await metric(url, 'process_cpu_seconds_total')
  loader?.send({ url, seconds, clients })
  const [result] = await once(/** @type {never} */ (loader), 'message')
  const { count, perSecond, failures } = /** @type {Result} */ (result)
  if (failures > 0) throw new Error(`${failures} requests failed`)
  const micros = (((await metric(url, 'process_cpu_seconds_total')) - before) / count) * 1e6
  // What was cut off at the end is still worked on.
  await sleep(300)
  return { perSecond, micros }
}

/** Prints what it costs; gives the default's share. @param {string} name @param {Cost[][]} rounds */
function tell(name, rounds) {
  const of = (/** @type {(round: Cost[]) => number} */ figure) => median(rounds.map(figure))
  const plain = { perSecond: NaN, micros: NaN }
  const shares = [1, 2].map((which) => ({
    perSecond: of(([off = plain, ...on]) => 1 - (on[which - 1] ?? plain).perSecond / off.perSecond),
    micros: of(([off = plain, ...on]) => (on[which - 1] ?? plain).micros / off.micros - 1),
  }))
  const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} %`
  const base = of(([off = plain]) => off.perSecond).toFixed(0)
  const cpu = of(([off = plain]) => off.micros).toFixed(0)
  console.log(`  ${name}: ${base} requests a second and ${cpu} µs of CPU each without tracing`)
  shares.forEach(({ perSecond, micros }, i) => {
    const which = i === 0 ? 'the default part of the traces' : 'every trace'
    console.log(`    ${which}: ${percent(perSecond)} fewer requests, ${percent(micros)} more CPU`)
  })
  const [usual] = shares
  return Math.min(usual?.perSecond ?? NaN, usual?.micros ?? NaN)
}
