import type { Registry } from 'prom-client'
import { observableGauge } from '../telemetry/metrics.js'
import type { Redis } from './redis.js'

/** Redis as this process sees it; without a configured one there is nothing to tell. */
export function registerRedisMetrics(
  redis: Pick<Redis, 'isConfigured' | 'isUp'>,
  registry: Registry,
) {
  if (!redis.isConfigured) return
  const help = 'Whether this process has a connection to Redis that is ready: 1 or 0'
  observableGauge(registry, { name: 'redis_up', help }, (gauge) => gauge.set(redis.isUp ? 1 : 0))
}
