import { Database } from '@malipo/kit/postgres/database'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import type { RunResult } from '@malipo/kit/worker/worker'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { RevocationPublisher } from '../revocations/revocation-publisher.js'
import { countUnusedKeys, deleteRevokedKeys, revokeExpiredKeys } from './api-keys.store.js'

const BATCH_SIZE = 200

/**
 * Revokes keys that have expired. A rotation shortens the life of a key that other services may have cached with a later
 * expiry, or with none. The revocation ends its use within a second, as any other.
 */
@Injectable()
export class KeyExpiry {
  private unused = 0

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly publisher: RevocationPublisher,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const gauge = {
      name: 'api_keys_unused',
      help: 'Usable API keys that were not used for 90 days; the same on all replicas',
    }
    observableGauge(registry, gauge, (metric) => metric.set(this.unused))
    workers.add({ name: 'key_expiry', intervalMs: 500, run: () => this.expire() })
    workers.add({ name: 'key_sweep', intervalMs: 3_600_000, run: () => this.sweep() })
  }

  private async expire(): Promise<RunResult> {
    const expired = await this.database.write((run) => revokeExpiredKeys(run, BATCH_SIZE))
    // What fails is published by the relay.
    await this.publisher.publish(expired)
    return expired.length < BATCH_SIZE ? undefined : 'more'
  }

  private async sweep(): Promise<RunResult> {
    this.unused = await this.database.read(countUnusedKeys)
    const deleted = await this.database.write((run) => deleteRevokedKeys(run, BATCH_SIZE))
    return deleted < BATCH_SIZE ? undefined : 'more'
  }
}
