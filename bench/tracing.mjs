/**
 * What tracing costs: one process of payments, whose tracing is turned off and on while it runs
 * (`tracing-switch.mjs`), by turns: off, the default part of the traces, all of them, and off once more, which
 * shows what such figures are worth. The share of the requests per second is what a client sees; the CPU of the
 * process for a request says the same where the machine does other things too.
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
import { freePort } from '@malipo/local/free-port'
import { VARIABLES } from '../services/payments/dist/env.js'
import { median } from './table.mjs'
import { metric } from './work.mjs'

/** Of the default, in requests per second or, on a busy machine, in CPU. */
const MOST_SHARE = 0.1
/** Until then a process compiles what it does, and gets faster by the second. */
const WARM_UP_SECONDS = 16

const OFF = 0
const SETTINGS = [
  { part: OFF, name: 'off' },
  { part: VARIABLES.OTEL_TRACES_SAMPLER_ARG.default, name: 'the default part of the traces' },
  { part: 1, name: 'every trace' },
  { part: OFF, name: 'off once more' },
]

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
    const port = await freePort()
    const service = await stage.also('payments', {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'tracing-switch.mjs')}`,
      SWITCH_PORT: String(port),
    })
    console.log(`\nTracing, medians of ${rounds} rounds of ${seconds} s each, by turns:`)
    const shares = []
    for (const { name, ours, clientsOf } of works) {
      const cost = async (/** @type {number} */ part, /** @type {number} */ howLong) => {
        await fetch(`http://127.0.0.1:${port}/?part=${part}`)
        return costOf(service.url, clientsOf(ours), howLong, loader)
      }
      for (const { part } of SETTINGS) await cost(part, WARM_UP_SECONDS / SETTINGS.length)
      /** @type {Cost[][]} */
      const measured = []
      for (let i = 0; i < rounds; i++) {
        /** @type {Cost[]} */
        const round = []
        // Who comes first is another one each time.
        for (let turn = 0; turn < SETTINGS.length; turn++) {
          const which = (turn + i) % SETTINGS.length
          round[which] = await cost(SETTINGS[which]?.part ?? OFF, seconds)
        }
        measured.push(round)
      }
      shares.push(tell(name, measured))
    }
    await service.stop()
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
  await sleep(200)
  return { perSecond, micros }
}

/** Prints what it costs; gives the default's share. @param {string} name @param {Cost[][]} rounds */
function tell(name, rounds) {
  const of = (/** @type {(round: Cost[]) => number} */ figure) => median(rounds.map(figure))
  const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} %`
  const base = of(([off]) => off?.perSecond ?? NaN).toFixed(0)
  const cpu = of(([off]) => off?.micros ?? NaN).toFixed(0)
  console.log(`  ${name}: ${base} requests a second and ${cpu} µs of CPU each without tracing`)
  const [usual] = SETTINGS.slice(1).map((setting, i) => {
    const beside = (/** @type {'perSecond' | 'micros'} */ figure) =>
      of(([off, ...others]) => (others[i]?.[figure] ?? NaN) / (off?.[figure] ?? NaN))
    const [fewer, more] = [1 - beside('perSecond'), beside('micros') - 1]
    const figures = `${percent(fewer)} fewer requests, ${percent(more)} more CPU`
    console.log(`    ${setting.name}: ${figures}`)
    return Math.min(fewer, more)
  })
  return usual ?? NaN
}
