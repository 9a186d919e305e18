import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

/** Each label has a small fixed set of values, never a client's choice, so that the number of series is bounded. */

/** A registry with the runtime's metrics. Each app has its own: tests run two in one process. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

export function registerBuildInfo(registry: Registry, { version }: { version: string }) {
  new Gauge({
    name: 'build_info',
    help: 'Always 1; its labels name the running release',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.version }, 1)
}

/** A counter by one label. Each series starts at 0: `rate()` misses an increment that creates a series. */
export function countBy<Value extends string>(
  registry: Registry,
  { name, help, label }: { name: string; help: string; label: string },
  values: readonly Value[],
): Readonly<Record<Value, Pick<Counter.Internal, 'inc'>>> {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry] })
  const counters = values.map((value) => {
    counter.inc({ [label]: value }, 0)
    return [value, counter.labels(value)] as const
  })
  return Object.fromEntries(counters) as Record<Value, Counter.Internal>
}

/** A gauge whose value `collect` sets on each scrape. */
export function observableGauge<Label extends string = never>(
  registry: Registry,
  options: { name: string; help: string; labelNames?: Label[] },
  collect: (gauge: Gauge<Label>) => void | Promise<void>,
): Gauge<Label> {
  return new Gauge<Label>({
    ...options,
    registers: [registry],
    collect() {
      return collect(this)
    },
  })
}
