import { type DynamicModule, Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { Registry } from 'prom-client'
import { dataSourceOptions, type EntitiesAndMigrations } from './connection.js'
import { Database } from './database.js'
import { DatabaseMetrics } from './database-metrics.js'
import { Drain } from './drain.js'
import type { DatabaseEnv, HttpEnv, RedisEnv } from './env.js'
import { HealthController } from './health.js'
import { createLogger, type Pino } from './logger.js'
import { createRegistry, MetricsController } from './metrics.js'
import { Redis } from './redis.js'
import { watchRedis } from './redis-metrics.js'
import { RouteTable } from './route-table.js'
import { TracingEnd } from './tracing.js'

/** The injection token of the service's logger. */
export const LOG = Symbol('log')

type KitEnv = HttpEnv & DatabaseEnv & RedisEnv

/** What every service has: its database, Redis, log, metrics and health, for all of its modules. */
@Module({})
export class KitModule {
  /** @param redisAnswerMs how long Redis may take, where the usual is too short */
  static with(
    name: string,
    env: KitEnv,
    own: EntitiesAndMigrations,
    redisAnswerMs?: number,
  ): DynamicModule {
    return {
      module: KitModule,
      global: true,
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: LOG, useFactory: () => createLogger(name, env.LOG_LEVEL) },
        { provide: Registry, useFactory: createRegistry },
        RouteTable,
        TracingEnd,
        {
          provide: Drain,
          inject: [LOG],
          useFactory: (log: Pino) => new Drain(env.SHUTDOWN_DRAIN_MS, log),
        },
        {
          provide: Database,
          inject: [LOG, Registry],
          useFactory: (log: Pino, registry: Registry) => {
            const metrics = new DatabaseMetrics(registry)
            const part = log.child({ part: 'database' })
            const options = dataSourceOptions(env, own)
            const database = new Database(options, env, part, metrics)
            metrics.watch(database, env.DB_POOL_MAX)
            return database
          },
        },
        {
          provide: Redis,
          inject: [LOG, Registry],
          useFactory: (log: Pino, registry: Registry) => {
            const redis = new Redis(env, log.child({ part: 'redis' }), redisAnswerMs)
            watchRedis(redis, registry)
            return redis
          },
        },
      ],
      exports: [LOG, Registry, RouteTable, Database, Redis],
    }
  }
}
