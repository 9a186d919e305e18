import type { Registry } from 'prom-client'
import { observableGauge } from '../telemetry/metrics.js'
import type { Redis } from './redis.js'

/** Without a configured Redis there is no such metric. */
export function registerRedisMetrics(
  redis: Pick<Redis, 'isConfigured' | 'isUp'>,
  registry: Registry,
) {
  if (!redis.isConfigured) return
  const help = 'Whether the connection to Redis is ready: 1 or 0'
  observableGauge(registry, { name: 'redis_up', help }, (gauge) => gauge.set(redis.isUp ? 1 : 0))
}
