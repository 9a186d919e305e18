import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

/** Label values come from small fixed sets, never from clients, so that the number of series is bounded. */

/** A registry with Node's default metrics, one per app, because tests run two apps in one process. */
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

/** A counter with one label. Series start at 0, because `rate()` misses an increment that creates one. */
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
