/**
 * The cost of tracing: one process of payments, with tracing turned on and off while it runs
 * (`tracing-switch.mjs`), in turns: off, the default ratio, every trace, and off again as a control. Requests per
 * second are what a client sees. CPU per request shows the same on a machine that is busy with other work.
 *
 * @typedef {import('./environment.mjs').Services} Services
 * @typedef {import('./work.mjs').Work} Work
 * @typedef {{ perSecond: number, micros: number }} Cost
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePort } from '@malipo/local/free-port'
import { VARIABLES } from '../services/payments/dist/env.js'
import { costOfLoad } from './load-cost.mjs'
import { median } from './table.mjs'

/** Of the default ratio: the lesser of requests lost and CPU added, since a busy machine distorts one of them. */
const MAX_OVERHEAD = 0.1
/** A process compiles its hot code until then, and gets faster by the second. */
const WARM_UP_SECONDS = 16

const OFF = 0
const SETTINGS = [
  { ratio: OFF, name: 'off' },
  { ratio: VARIABLES.OTEL_TRACES_SAMPLER_ARG.default, name: 'the default ratio' },
  { ratio: 1, name: 'every trace' },
  { ratio: OFF, name: 'off again' },
]

/**
 * @param {Services} services
 * @param {Work[]} works
 * @param {{ rounds: number, seconds: number }} times
 */
export async function benchTracing(services, works, { rounds, seconds }) {
  const [loader, collector] = ['load.mjs', 'collector.mjs'].map((file) =>
    fork(join(import.meta.dirname, file)),
  )
  try {
    const [endpoint] = await once(/** @type {never} */ (collector), 'message')
    const port = await freePort()
    const service = await services.startAnother('payments', {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'tracing-switch.mjs')}`,
      SWITCH_PORT: String(port),
    })
    console.log(`\nTracing, medians of ${rounds} rounds of ${seconds} s each, in turns:`)
    const overheads = []
    for (const { name, ours, clientsOf } of works) {
      const measure = async (/** @type {number} */ ratio, /** @type {number} */ duration) => {
        await fetch(`http://127.0.0.1:${port}/?ratio=${ratio}`)
        return costOf(service.url, clientsOf(ours), duration, loader)
      }
      for (const { ratio } of SETTINGS) await measure(ratio, WARM_UP_SECONDS / SETTINGS.length)
      /** @type {Cost[][]} */
      const measured = []
      for (let i = 0; i < rounds; i++) {
        /** @type {Cost[]} */
        const round = []
        // Each round starts with another setting.
        for (let turn = 0; turn < SETTINGS.length; turn++) {
          const which = (turn + i) % SETTINGS.length
          round[which] = await measure(SETTINGS[which]?.ratio ?? OFF, seconds)
        }
        measured.push(round)
      }
      overheads.push(report(name, measured))
    }
    await service.stop()
    if (Math.max(...overheads) > MAX_OVERHEAD) throw new Error('tracing costs more than 10 %')
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
  const { perSecond, micros, failures } = await costOfLoad(loader, { url, seconds, clients })
  if (failures > 0) throw new Error(`${failures} requests failed`)
  return { perSecond, micros }
}

/** Prints the cost and returns the default ratio's overhead. @param {string} name @param {Cost[][]} rounds */
function report(name, rounds) {
  const medianOf = (/** @type {(round: Cost[]) => number} */ figure) => median(rounds.map(figure))
  const percent = (/** @type {number} */ ratio) => `${(ratio * 100).toFixed(1)} %`
  const base = medianOf(([off]) => off?.perSecond ?? NaN).toFixed(0)
  const cpu = medianOf(([off]) => off?.micros ?? NaN).toFixed(0)
  console.log(`  ${name}: ${base} requests a second and ${cpu} µs of CPU each without tracing`)
  const [byDefault] = SETTINGS.slice(1).map((setting, i) => {
    const relative = (/** @type {'perSecond' | 'micros'} */ figure) =>
      medianOf(([off, ...others]) => (others[i]?.[figure] ?? NaN) / (off?.[figure] ?? NaN))
    const [fewer, more] = [1 - relative('perSecond'), relative('micros') - 1]
    const figures = `${percent(fewer)} fewer requests, ${percent(more)} more CPU`
    console.log(`    ${setting.name}: ${figures}`)
    return Math.min(fewer, more)
  })
  return byDefault ?? NaN
}
