import { Controller, Get, Headers, Inject, Res } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Counter, type Metric, Registry } from 'prom-client'
import { Public } from './access.js'

/**
 * Metrics in Prometheus' text format, or in OpenMetrics if the scraper prefers it: only OpenMetrics has
 * exemplars. Prometheus sends media types with parameters (`version`, `escaping`), which `accepts` would
 * compare for equality. So only the media type itself is compared.
 */
@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(@Inject(Registry) private readonly registry: Registry) {}

  @Get()
  @Public()
  metrics(
    @Headers('accept') accept = '',
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const isOpenMetrics = accept.includes('application/openmetrics-text')
    const registry = isOpenMetrics ? openMetrics(this.registry) : this.registry
    void reply.type(registry.contentType)
    return registry.metrics()
  }
}

/**
 * To write OpenMetrics, prom-client removes `_total` from each counter's own name, so it gets copies of the
 * counters.
 */
function openMetrics(registry: Registry): Registry {
  const copy = new Registry()
  copy.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[]) {
    copy.registerMetric(metric instanceof Counter ? Object.create(metric) : metric)
  }
  return copy
}
