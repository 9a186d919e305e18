import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { OPERATOR_SCOPES } from '../tokens/scopes.js'

/** An alert stays active this long, longer than its `for` and than a short outage of the monitoring. */
const PERIOD_MS = 3_600_000

/** A grant adds an operator scope if the user did not have it before. */
const OPERATOR_GRANTS: Statement = {
  name: 'operator_grants',
  text: `
    SELECT count(*)::integer AS count
    FROM audit_events
    WHERE kind = 'grant'
      AND id >= $1
      AND EXISTS (
        SELECT FROM unnest($2::text[]) AS scope
        WHERE detail -> 'scopes' ? scope AND NOT coalesce(detail -> 'before' ? scope, false)
      )`,
}

/**
 * Reports grants of operator scopes from the audit trail, because the operator command is a separate process
 * that Prometheus does not scrape. Changes made directly in the database are reported too.
 */
@Injectable()
export class OperatorGrants {
  private recent = 0

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const gauge = {
      name: 'operator_scope_grants',
      help: 'Grants of operator scopes within the last hour, from the audit trail; the same on all replicas',
    }
    observableGauge(registry, gauge, (metric) => metric.set(this.recent))
    workers.add({ name: 'operator_grants_poll', intervalMs: 15_000, run: () => this.poll() })
  }

  private async poll(): Promise<void> {
    const values = [minUuidAt(new Date(databaseNow() - PERIOD_MS)), OPERATOR_SCOPES]
    const [row] = await this.database.read((run) => run<{ count: number }>(OPERATOR_GRANTS, values))
    this.recent = row?.count ?? 0
  }
}
