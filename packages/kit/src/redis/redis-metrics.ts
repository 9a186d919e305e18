import type { Registry } from 'prom-client'
import { observableGauge } from '../telemetry/metrics.js'
import type { Redis } from './redis.js'

const UP = {
  name: 'redis_up',
  help: 'Whether Redis can be used: 1 or 0',
}
const EVICTED = {
  name: 'redis_evicted_keys',
  help: 'Keys that Redis has evicted since its start; the same on all replicas',
}

export function registerRedisMetrics(registry: Registry, redis: Redis): void {
  observableGauge(registry, UP, (gauge) => gauge.set(redis.isUp ? 1 : 0))
  observableGauge(registry, EVICTED, (gauge) => {
    // A value of 0 would make the count of a running server look like an increase.
    if (redis.evictedKeys === undefined) gauge.remove()
    else gauge.set(redis.evictedKeys)
  })
}
