import { Database } from '@malipo/kit/postgres/database'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { Redis } from '@malipo/kit/redis/redis'
import type { RunResult } from '@malipo/kit/worker/worker'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import {
  deleteExpired,
  deletePublished,
  pendingRevocations,
  type RevokedSession,
  revokedSince,
} from './outbox.store.js'
import { PUBLISH_BATCH_SIZE, RevocationPublisher } from './revocation-publisher.js'

/**
 * Publishes the revocations that an outage of Redis or a crash of a replica left in the outbox. After each
 * connection to Redis, and each change of its data set, it publishes again all whose tokens may be unexpired:
 * Redis may have lost data, or promoted a replica with older data. It needs no lease, because publishing twice
 * has no further effect.
 */
@Injectable()
export class RevocationRelay {
  private pending = 0
  private needsRepublish = true

  constructor(
    private readonly publisher: RevocationPublisher,
    @Inject(Redis) private readonly redis: Redis,
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const gauge = {
      name: 'revocations_pending',
      help: `Session revocations not yet published to Redis, at most ${PUBLISH_BATCH_SIZE}; the same on all replicas`,
    }
    observableGauge(registry, gauge, (metric) => metric.set(this.pending))
    const run = () => this.relay()
    const worker = workers.add({ name: 'revocation_relay', intervalMs: 2_000, run })
    redis.onDataset(() => {
      this.needsRepublish = true
      worker.wake()
    })
  }

  private async relay(): Promise<RunResult> {
    await this.database.write((run) => deleteExpired(run, this.publisher.lifetimeSeconds))
    if (!this.redis.isConfigured) return
    const batch = await this.database.read((run) => pendingRevocations(run, PUBLISH_BATCH_SIZE))
    this.pending = batch.length
    // The relay runs again when Redis is connected.
    if (!this.redis.isUp) return
    // Without an acknowledgement, the next run publishes again. The client of Redis logs the cause.
    if (this.needsRepublish && !(await this.republish())) return
    if (!(await this.publisher.publishBatch(batch))) return
    if (batch.length > 0) await this.database.write((run) => deletePublished(run, batch))
    this.pending = 0
    return batch.length < PUBLISH_BATCH_SIZE ? undefined : 'more'
  }

  /** @returns whether Redis has acknowledged all */
  private async republish(): Promise<boolean> {
    this.needsRepublish = false
    let isPublished = false
    try {
      isPublished = await this.publishAll()
    } finally {
      if (!isPublished) this.needsRepublish = true
    }
    return isPublished
  }

  private async publishAll(): Promise<boolean> {
    let page: RevokedSession[] = []
    do {
      const last = page.at(-1)
      page = await this.database.read((run) =>
        revokedSince(run, this.publisher.lifetimeSeconds, PUBLISH_BATCH_SIZE, last),
      )
      if (!(await this.publisher.publishBatch(page))) return false
    } while (page.length === PUBLISH_BATCH_SIZE)
    return true
  }
}
