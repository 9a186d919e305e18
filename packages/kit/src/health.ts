import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus'
import { Public } from './http/access.js'
import { HTTP_PROBLEMS, Problem } from './http/problem.js'
import { Drain } from './http/shutdown.js'
import { Database } from './postgres/database.js'
import { Redis } from './redis/redis.js'

/**
 * Liveness always succeeds, because a restart can't repair a dependency. Readiness fails during shutdown, and
 * until the replica first reaches its migrated database. A later outage of the database or Redis affects all
 * replicas alike, so it is only reported as `degraded` and every replica stays ready.
 */
@ApiExcludeController()
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    @Inject(Database) private readonly database: Database,
    @Inject(Redis) private readonly redis: Redis,
    @Inject(Drain) private readonly drain: Drain,
  ) {}

  @Get('live')
  @Public()
  live() {
    return { status: 'ok' }
  }

  @Get('ready')
  @Public()
  async ready() {
    const { status } = await this.details()
    return { status }
  }

  @Get()
  @Public()
  async details(): Promise<HealthCheckResult> {
    if (this.drain.isShuttingDown) throw notReady('Shutting down.')
    try {
      return await this.health.check([() => this.databaseState(), () => this.redisState()])
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error
      const { details } = error.getResponse() as HealthCheckResult
      throw notReady(`Waiting for ${this.database.waitingFor}.`, { details })
    }
  }

  private async databaseState(): Promise<HealthIndicatorResult> {
    const check = this.indicators.check('database')
    if (!this.database.isOpen) return check.down(`waiting for ${this.database.waitingFor}`)
    return this.ping('database', () => this.database.ping())
  }

  private async redisState(): Promise<HealthIndicatorResult> {
    if (!this.redis.isConfigured) return this.indicators.check('redis').up({ configured: false })
    return this.ping('redis', () => this.redis.ping())
  }

  /** Reports a failed ping as `degraded`, without its error. Probes within one second share one ping. */
  private async ping(name: string, ping: () => Promise<void>): Promise<HealthIndicatorResult> {
    const check = this.indicators.check(name)
    const result = await check.attempt(ping).withTimeout(500).cacheFor(1_000)
    return result[name]?.status === 'down' ? check.degraded('unreachable') : result
  }
}

function notReady(reason: string, members: Record<string, unknown> = {}): Problem {
  return new Problem(HTTP_PROBLEMS.notReady, reason, { retryAfterSeconds: 1, members })
}
