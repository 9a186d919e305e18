import { type DynamicModule, Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { Registry } from 'prom-client'
import { DataSource } from 'typeorm'
import { dataSourceOptions, type EntitiesAndMigrations } from './postgres/pool-options.js'
import { Database } from './postgres/database.js'
import { databaseMetrics, registerPoolMetrics } from './postgres/database-metrics.js'
import { AccessCheck } from './http/access-check.js'
import { Drain } from './http/drain.js'
import type { DatabaseEnv, HttpEnv, RedisEnv } from './config/variables.js'
import { HealthController } from './health.js'
import { createLogger, type Logger } from './telemetry/logger.js'
import { MetricsController } from './http/metrics.controller.js'
import { createRegistry, observableGauge } from './telemetry/metrics.js'
import { Redis } from './redis/redis.js'
import { RouteTable } from './http/route-table.js'
import { TracingShutdown } from './telemetry/start-tracing.js'
import { WorkerMetrics } from './worker/worker-metrics.js'
import { Workers } from './worker/workers.js'

/** The injection token of the service's logger. */
export const LOG = Symbol('log')

type KitEnv = HttpEnv & DatabaseEnv & RedisEnv

/** Database, Redis, logger, metrics and health checks, global in each service. */
@Module({})
export class KitModule {
  /** @param redisTimeoutMs overrides the default command timeout of Redis */
  static with(
    name: string,
    env: KitEnv,
    own: EntitiesAndMigrations,
    redisTimeoutMs?: number,
  ): DynamicModule {
    return {
      module: KitModule,
      global: true,
      imports: [TerminusModule.forRoot({ logger: false }), AccessCheck],
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: LOG, useFactory: () => createLogger(name, env.LOG_LEVEL) },
        { provide: Registry, useFactory: createRegistry },
        RouteTable,
        TracingShutdown,
        {
          provide: Drain,
          inject: [LOG],
          useFactory: (log: Logger) => new Drain(env.SHUTDOWN_DRAIN_MS, log),
        },
        {
          provide: WorkerMetrics,
          inject: [Registry],
          useFactory: (registry: Registry) => new WorkerMetrics(registry),
        },
        {
          provide: Workers,
          inject: [LOG, WorkerMetrics],
          useFactory: (log: Logger, metrics: WorkerMetrics) => new Workers(log, metrics),
        },
        {
          provide: DataSource,
          useFactory: () => new DataSource(dataSourceOptions(env, own)),
        },
        {
          provide: Database,
          inject: [DataSource, LOG, Registry, WorkerMetrics],
          useFactory: (
            dataSource: DataSource,
            log: Logger,
            registry: Registry,
            workerMetrics: WorkerMetrics,
          ) => {
            registerPoolMetrics(registry, dataSource, env.DB_POOL_MAX)
            const metrics = databaseMetrics(registry, workerMetrics)
            const part = log.child({ part: 'database' })
            return new Database(dataSource, env, part, metrics)
          },
        },
        {
          provide: Redis,
          inject: [LOG, Registry],
          useFactory: (log: Logger, registry: Registry) => {
            const redis = new Redis(env, log.child({ part: 'redis' }), redisTimeoutMs)
            const up = {
              name: 'redis_up',
              help: 'Whether the connection to Redis is ready: 1 or 0',
            }
            if (redis.isConfigured) {
              observableGauge(registry, up, (gauge) => gauge.set(redis.isUp ? 1 : 0))
            }
            return redis
          },
        },
      ],
      exports: [LOG, Registry, RouteTable, Workers, DataSource, Database, Redis],
    }
  }
}
