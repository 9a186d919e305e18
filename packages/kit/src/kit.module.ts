import { type DynamicModule, Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { Registry } from 'prom-client'
import { DataSource } from 'typeorm'
import type { DatabaseEnv, HttpEnv, RedisEnv } from './config/variables.js'
import { HealthController } from './health.js'
import { AccessCheck } from './http/access.js'
import { Dependencies } from './http/dependencies.js'
import { MetricsController } from './http/metrics.js'
import { Drain } from './http/shutdown.js'
import type { ClientChecks } from './postgres/client-checks.js'
import { databaseMetrics, registerPoolMetrics } from './postgres/database-metrics.js'
import { Database } from './postgres/database.js'
import { dataSourceOptions, type EntitiesAndMigrations } from './postgres/pool-options.js'
import { Redis } from './redis/redis.js'
import { createLogger, LOG, type Logger } from './telemetry/logger.js'
import { createRegistry, observableGauge } from './telemetry/metrics.js'
import { TracingShutdown } from './telemetry/start-tracing.js'
import { WorkerMetrics } from './worker/worker.js'
import { Workers } from './worker/workers.js'

/** Provides the database, Redis, logger, metrics and health checks to all modules of a service. */
@Module({})
export class KitModule {
  /** @param redisTimeoutMs overrides the default command timeout of Redis */
  static with(
    name: string,
    env: HttpEnv & DatabaseEnv & RedisEnv,
    own: EntitiesAndMigrations & { readonly clientChecks: ClientChecks },
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
        { provide: DataSource, useFactory: () => new DataSource(dataSourceOptions(env, own)) },
        TracingShutdown,
        Dependencies,
        WorkerMetrics,
        Workers,
        {
          provide: Drain,
          inject: [LOG],
          useFactory: (log: Logger) => new Drain(env.SHUTDOWN_DRAIN_MS, log),
        },
        {
          provide: Database,
          inject: [DataSource, LOG, Registry, WorkerMetrics],
          useFactory: (
            dataSource: DataSource,
            log: Logger,
            registry: Registry,
            workers: WorkerMetrics,
          ) => {
            registerPoolMetrics(registry, dataSource, env.DB_POOL_MAX)
            const metrics = databaseMetrics(registry, workers)
            const child = log.child({ part: 'database' })
            return new Database(dataSource, env, child, metrics, own.clientChecks)
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
      exports: [LOG, Registry, Workers, Dependencies, DataSource, Database, Redis],
    }
  }
}
