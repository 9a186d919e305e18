import { hash } from 'node:crypto'
import { Database } from '@malipo/kit/postgres/database'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { type AttemptLimit, quotaOf } from './attempt-limit.js'
import {
  consumeAttempt,
  deleteExpiredAttempts,
  readAttempts,
  refundAttempts,
} from './login-attempts.store.js'
import { type Quota, tightest } from './quota.js'

interface CountedLimit {
  readonly limit: AttemptLimit
  readonly subject: string
}

/** Limits that count an attempt together, or not at all. They have the same interval. */
export type Counted = readonly [CountedLimit, ...CountedLimit[]]

const SWEEP_BATCH_SIZE = 1_000

/**
 * Counts password attempts in PostgreSQL, which a login needs anyway. So the limits hold across replicas,
 * and without Redis, and no restart or eviction of Redis resets them.
 */
@Injectable()
export class AttemptCounter {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
  ) {
    workers.add({
      name: 'login_attempts_sweep',
      intervalMs: 600_000,
      run: async () => ((await this.sweep()) < SWEEP_BATCH_SIZE ? undefined : 'more'),
    })
  }

  /** Reads the quota without counting an attempt. */
  async peek(counted: Counted): Promise<Quota> {
    const subjects = counted.map(({ subject }) => hashed(subject))
    const seconds = await this.database.read((run) => readAttempts(run, subjects))
    const [first, ...others] = counted
    const quotas = others.map(({ limit }, nth) => quotaOf(limit, seconds[nth + 1] ?? 0))
    return tightest([quotaOf(first.limit, seconds[0] ?? 0), ...quotas])
  }

  /** Counts an attempt before its outcome is known, unless one of the limits is reached. */
  async consume(counted: Counted): Promise<Quota> {
    const [first, ...others] = counted
    const [own, ...rest] = await Promise.all([
      this.consumeOne(first),
      ...others.map((each) => this.consumeOne(each)),
    ])
    const quota = tightest([own, ...rest])
    if (!quota.isAllowed) {
      const consumed = counted.filter((_, nth) => [own, ...rest][nth]?.isAllowed)
      if (consumed.length > 0) await this.refund(consumed)
    }
    return quota
  }

  /** Returns a counted attempt, at most once: a refund that may have been applied is not repeated. */
  async refund(counted: readonly CountedLimit[]): Promise<void> {
    const intervalSeconds = counted[0]?.limit.intervalSeconds ?? 0
    const subjects = counted.map(({ subject }) => hashed(subject))
    await this.database.write(async (run, retried) => {
      if (!retried) await refundAttempts(run, subjects, intervalSeconds)
    })
  }

  /** Deletes one batch of rows whose attempts have expired. @returns the number of rows */
  async sweep(): Promise<number> {
    return this.database.write((run) => deleteExpiredAttempts(run, SWEEP_BATCH_SIZE))
  }

  private async consumeOne({ limit, subject }: CountedLimit): Promise<Quota> {
    const consumption = { ...limit, subject: hashed(subject) }
    const consumed = await this.database.write((run) => consumeAttempt(run, consumption))
    if (consumed !== undefined) return { ...quotaOf(limit, consumed), isAllowed: true }
    const [seconds = 0] = await this.database.read((run) => readAttempts(run, [hashed(subject)]))
    return { ...quotaOf(limit, seconds), isAllowed: false }
  }
}

function hashed(subject: string): Buffer {
  return hash('sha256', subject, 'buffer')
}
