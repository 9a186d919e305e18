import { Database } from '@malipo/kit/postgres/database'
import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { Redis } from '@malipo/kit/redis/redis'
import {
  formatRevocation,
  REVOCATION_CHANNEL,
  revocationLifetimeSeconds,
} from '@malipo/kit/redis/session-revocation'
import { Inject, Injectable } from '@nestjs/common'
import { type Env, ENV } from '../env.js'
import { type Ended, told } from './untold.store.js'

/** In one transaction of Redis, which serves nobody else meanwhile. */
export const MOST_AT_ONCE = 200

/**
 * Tells Redis that sessions are over, so that no replica of any service takes a kept answer about their
 * tokens any longer: `revoked:{sid}` is there as long as one of them could live, and the end is announced.
 * What could not be told stays in the database's list, from which the teller sends it on.
 */
@Injectable()
export class Revocations {
  /** How long a token of a session may outlive its end: the youngest was signed just before it. */
  readonly lifeSeconds: number

  constructor(
    @Inject(Redis) private readonly redis: Redis,
    @Inject(Database) private readonly database: Database,
    @Inject(ENV) env: Pick<Env, 'JWT_EXPIRES_IN'>,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.lifeSeconds = revocationLifetimeSeconds(env.JWT_EXPIRES_IN)
  }

  /** Whether Redis knows by now. Where none is configured, nothing is kept anywhere that had to know. */
  async tell(ended: readonly Ended[]): Promise<boolean> {
    if (!this.redis.isConfigured) return true
    for (const some of inParts(ended)) {
      if (!(await this.announce(some))) return false
      // Beside the answer, which need not wait: what stays in the list is told once more.
      this.forget(some).catch((error: unknown) => {
        this.log.debug({ err: error }, 'told revocations stay in the list')
      })
    }
    return true
  }

  /** Sets the marks of `MOST_AT_ONCE` at most, and announces them, without a look at the list. */
  async announce(ended: readonly Ended[]): Promise<boolean> {
    if (ended.length === 0) return true
    const publications = ended.map(({ sid, at }) =>
      formatRevocation({ sid, revokedAtMs: at.getTime() }, this.lifeSeconds),
    )
    return (await this.redis.setAndPublish(REVOCATION_CHANNEL, publications)) === 'OK'
  }

  /** Takes what was told from the list. */
  async forget(ended: readonly Ended[]): Promise<void> {
    const sids = ended.map(({ sid }) => sid)
    if (sids.length > 0) await this.database.write((run) => told(run, sids))
  }
}

function inParts(ended: readonly Ended[]): Ended[][] {
  const parts = Math.ceil(ended.length / MOST_AT_ONCE)
  return Array.from({ length: parts }, (_, i) =>
    ended.slice(i * MOST_AT_ONCE, (i + 1) * MOST_AT_ONCE),
  )
}
