import { Counter, type Metric, Registry } from 'prom-client'

/**
 * The metrics in the format that knows exemplars, the links from a bucket to a trace. Prometheus asks for it
 * first; other readers get the older one.
 */

const OPEN_METRICS =
  /(?:^|,)\s*application\/openmetrics-text\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:,|$))[^,;]*)*(?:,|$)/

/** Whether an `Accept` header names the format. */
export function wantsOpenMetrics(accept = ''): boolean {
  return OPEN_METRICS.test(accept)
}

/** The same metrics under the other format. */
export function asOpenMetrics(registry: Registry): Registry {
  const view = new Registry()
  view.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[]) {
    // A counter loses the end of its name as it is written in this format, for good: the view has its own.
    view.registerMetric(metric instanceof Counter ? Object.create(metric) : metric)
  }
  return view
}
