import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus'
import { Database } from './postgres/database.js'
import { Public } from './http/access.js'
import { Drain } from './http/drain.js'
import { HTTP_PROBLEMS, Problem } from './http/problem.js'
import { Redis } from './redis/redis.js'

const PING_TIMEOUT_MS = 500
/** Several probes come each second and share one ping. */
const PING_CACHE_MS = 1_000

/**
 * Liveness always succeeds, since a restart repairs no dependency. Readiness fails until this replica has
 * first reached its database, while it waits for migrations, and while it shuts down. A later failure of the
 * database or Redis affects all replicas. It is reported as `degraded`, and every replica stays ready.
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
    const { status } = await this.result()
    return { status }
  }

  @Get()
  @Public()
  details(): Promise<HealthCheckResult> {
    return this.result()
  }

  private async result(): Promise<HealthCheckResult> {
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
    return degraded(await this.ping('database', () => this.database.ping()))
  }

  private async redisState(): Promise<HealthIndicatorResult> {
    if (!this.redis.isConfigured) return this.indicators.check('redis').up({ configured: false })
    return degraded(await this.ping('redis', () => this.redis.ping()))
  }

  private ping(key: string, ping: () => Promise<void>) {
    return this.indicators
      .check(key)
      .attempt(ping)
      .withTimeout(PING_TIMEOUT_MS)
      .cacheFor(PING_CACHE_MS)
  }
}

function notReady(reason: string, members: Record<string, unknown> = {}): Problem {
  return new Problem(HTTP_PROBLEMS.notReady, reason, { retryAfterSeconds: 1, members })
}

/** Reports `down` as `degraded`, without the error's message. */
function degraded(result: HealthIndicatorResult): HealthIndicatorResult {
  return Object.fromEntries(
    Object.entries(result).map(([key, value]) => [
      key,
      value.status === 'down' ? { status: 'degraded' as const, message: 'unreachable' } : value,
    ]),
  )
}
