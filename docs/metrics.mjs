// The table of docs/metrics.md: what the registries of both services hold once they are created, so that a
// metric without a line there can't be.
import { Registry } from 'prom-client'
import { createService } from './services.mjs'

/** What libraries bring; their names begin so. */
const OF_THE_PROCESS = /^(process|nodejs)_/

async function metricsOf(service) {
  const app = await createService(service)
  const all = app.get(Registry).getMetricsAsArray()
  return new Map(all.map((metric) => [metric.name, metric]))
}

/** The unit that a name ends with, as Prometheus has it. */
function unitOf(name) {
  if (/_minor(_total)?$/.test(name)) return 'minor units'
  if (/_seconds(_total)?$/.test(name)) return 'seconds'
  if (/_bytes$/.test(name)) return 'bytes'
  if (/(_info|_up)$/.test(name)) return '1 or 0'
  return 'count'
}

function row({ name, help, labelNames = [], constructor }, readers) {
  const labels = labelNames.map((label) => `\`${label}\``).join(', ')
  const type = constructor.name.toLowerCase()
  // prom-client's help of two metrics ends with a sentence about C++ class names.
  const text = help.replace(/\. Every .*$/, '')
  return `| \`${name}\` | ${type} | ${unitOf(name)} | ${labels} | ${readers} | ${text} |`
}

const HEAD = [
  '| metric | type | unit | labels | service | meaning |',
  '| --- | --- | --- | --- | --- | --- |',
]

/** Every metric of the services: their own, then those of the process. */
export async function metrics() {
  const [auth, payments] = [await metricsOf('auth'), await metricsOf('payments')]
  const readers = (name) => {
    if (auth.has(name) && payments.has(name)) return 'both'
    return auth.has(name) ? 'auth' : 'payments'
  }
  const all = [...new Map([...auth, ...payments]).values()].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  const table = (some) => [...HEAD, ...some.map((metric) => row(metric, readers(metric.name)))]
  const own = all.filter(({ name }) => !OF_THE_PROCESS.test(name))
  const process = all.filter(({ name }) => OF_THE_PROCESS.test(name))
  return [...table(own), '', '### The process', '', ...table(process)].join('\n')
}
