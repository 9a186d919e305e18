import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus'
import { Public } from './http/access.js'
import { Dependencies, type ProblemOf } from './http/dependencies.js'
import { HTTP_PROBLEMS, Problem } from './http/problem.js'
import { Drain } from './http/shutdown.js'
import { Database } from './postgres/database.js'
import { Redis } from './redis/redis.js'

/**
 * Liveness always succeeds, because a restart can't repair a dependency. Readiness fails during shutdown, and
 * until the replica first reaches its migrated database. A later outage of a dependency affects all replicas
 * alike, so it is only reported as `degraded` and every replica stays ready.
 */
@ApiExcludeController()
@Controller('health')
export class HealthController {
  @Inject(Dependencies) private readonly dependencies!: Dependencies

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
      const own = this.dependencies.all.map(([name, problemOf]) => this.state(name, problemOf))
      const states = [this.databaseState(), this.redisState(), ...own]
      return await this.health.check(states.map((state) => () => state))
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error
      const { details } = error.getResponse() as HealthCheckResult
      throw notReady(`Waiting for ${this.database.waitingFor}.`, { details })
    }
  }

  private async databaseState(): Promise<HealthIndicatorResult> {
    const check = this.indicators.check('database')
    if (!this.database.isOpen) return check.down(`waiting for ${this.database.waitingFor}`)
    return this.state('database', () => this.database.problem())
  }

  private redisState(): HealthIndicatorResult {
    const check = this.indicators.check('redis')
    if (!this.redis.isConfigured) return check.up({ configured: false })
    const { problem } = this.redis
    return problem === undefined ? check.up() : check.degraded(problem)
  }

  /**
   * Reports a dependency that has a problem as `degraded`, with the kind of the problem: its error may contain an
   * address or a name. Probes within one second share one check.
   */
  private async state(name: string, problemOf: ProblemOf): Promise<HealthIndicatorResult> {
    const check = this.indicators.check(name)
    const attempt = check.attempt(async () => ({ problem: await problemOf() }))
    const result = await attempt.withTimeout(500).cacheFor(1_000)
    const { status, problem } = result[name] as { status: string; problem?: string }
    if (status === 'down') return check.degraded('unreachable')
    return problem === undefined ? result : check.degraded(problem)
  }
}

function notReady(reason: string, members: Record<string, unknown> = {}): Problem {
  return new Problem(HTTP_PROBLEMS.notReady, reason, { retryAfterSeconds: 1, members })
}
