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
import { ClockWorker } from './postgres/clock-worker.js'
import type { ClientChecks } from './postgres/client-checks.js'
import { databaseMetrics, registerPoolMetrics } from './postgres/database-metrics.js'
import { Database } from './postgres/database.js'
import { dataSourceOptions, type EntitiesAndMigrations } from './postgres/pool-options.js'
import type { RedisAccess } from './redis/redis-access.js'
import { registerRedisMetrics } from './redis/redis-metrics.js'
import { Redis } from './redis/redis.js'
import { createLogger, LOG, type Logger } from './telemetry/logger.js'
import { createRegistry } from './telemetry/metrics.js'
import { TracingShutdown } from './telemetry/start-tracing.js'
import { type Role, ROLES, WorkerMetrics } from './worker/worker.js'
import { REPLICA_ROLES, Workers } from './worker/workers.js'

/** Provides the database, Redis, logger, metrics and health checks to all modules of a service. */
@Module({})
export class KitModule {
  /** @param redis what the service needs of Redis, and how long its reads wait unless for the default */
  static with(
    name: string,
    env: HttpEnv & DatabaseEnv & RedisEnv & { readonly ROLES?: readonly Role[] },
    own: EntitiesAndMigrations & { readonly clientChecks: ClientChecks },
    redis: { readonly access?: RedisAccess; readonly waitMs?: number } = {},
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
        { provide: REPLICA_ROLES, useValue: env.ROLES ?? ROLES },
        Workers,
        ClockWorker,
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
            const child = log.child({ part: 'redis' })
            const client = new Redis(env, child, redis.waitMs, redis.access)
            if (client.isConfigured) registerRedisMetrics(registry, client)
            return client
          },
        },
      ],
      exports: [LOG, Registry, Workers, Dependencies, DataSource, Database, Redis],
    }
  }
}
