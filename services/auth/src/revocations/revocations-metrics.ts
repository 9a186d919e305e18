import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'

/** Why a session was revoked. */
const CAUSES = ['logout', 'revoked', 'password', 'scopes', 'refresh_reuse'] as const
export type Cause = (typeof CAUSES)[number]

@Injectable()
export class RevocationsMetrics {
  private readonly revocations

  constructor(@Inject(Registry) registry: Registry) {
    const metric = { name: 'revocations_total', help: 'Revoked sessions by cause', label: 'cause' }
    this.revocations = countBy(registry, metric, CAUSES)
  }

  revoked(cause: Cause, sessions: number) {
    this.revocations[cause].inc(sessions)
  }
}
