import { Database, type Run } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Inject, Injectable } from '@nestjs/common'
import { EGRESS, EgressClient } from '../egress/egress-client.js'
import { eventIdOf } from '../notifications/events.js'
import { signatureHeaders } from '../webhook-endpoints/signing.js'
import { paymentAsOf, storeBody } from './body.store.js'
import { type ClaimedDelivery, releaseDelivery } from './claim.store.js'
import type { SignedClaim } from './delivery-claims.js'
import { DeliveryMetrics } from './delivery-metrics.js'
import { paymentBody } from './notification-body.js'
import { recordTry } from './record.store.js'
import { nextTrySeconds } from './schedule.js'
import { type TryVerdict, UNREADABLE_SECRET, verdictOf } from './try-verdict.js'

/** The injection token of the factor of all delays of deliveries. */
export const DELIVERY_SCALE = Symbol('delivery scale')

/** A claimed delivery that is to be tried. */
export interface DeliveryTry extends SignedClaim {
  readonly leaseId: string
  /** Whether so much of the lease is left that the try may still begin. */
  readonly isFresh: () => boolean
  /** Ends the try at shutdown. */
  readonly signal: AbortSignal
}

/** Tries to deliver notifications, and stores the results. */
@Injectable()
export class DeliveryRunner {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(EGRESS) private readonly egress: EgressClient,
    @Inject(DeliveryMetrics) private readonly metrics: DeliveryMetrics,
    @Inject(DELIVERY_SCALE) private readonly scale: number,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** Makes the try and stores its result. It never fails: after an error, the lease ends and the try is repeated. */
  async perform(one: DeliveryTry): Promise<void> {
    const { deliveryId, endpointId } = one.claimed
    try {
      await this.deliver(one)
    } catch (error) {
      this.metrics.tries.error.inc()
      this.log.warn({ err: error, deliveryId, endpointId }, 'a delivery could not be tried')
    }
  }

  private async deliver(one: DeliveryTry): Promise<void> {
    const { claimed, secrets, isFresh } = one
    const body = claimed.body ?? (await this.buildBody(claimed))
    // The notification was deleted at the end of its retention.
    if (body === undefined) return
    const at = new Date()
    if (secrets === 'unreadable') return this.record(one, at, UNSIGNED)
    if (!secrets || !isFresh()) return this.release(one)
    const eventId = eventIdOf(claimed.notificationId)
    const result = await this.egress.post({
      url: claimed.url,
      headers: {
        'content-type': 'application/json',
        ...signatureHeaders({ eventId, at, body, secrets }),
      },
      body,
      signal: one.signal,
    })
    if (result.kind === 'aborted') return this.release(one)
    await this.record(one, at, verdictOf(result))
  }

  private async buildBody(claimed: ClaimedDelivery): Promise<string | undefined> {
    const { notificationId, type, subjectId, subjectVersion, occurredAt } = claimed
    const payment = await this.database.read((run) => paymentAsOf(run, subjectId, subjectVersion))
    if (!payment) throw new Error(`no version ${subjectVersion} of the payment ${subjectId}`)
    const body = paymentBody(type, occurredAt, payment)
    const store = (run: Run) => storeBody(run, notificationId, body)
    const stored = await this.database.write(store)
    // Another replica has stored a body since the statement began: a later statement finds it.
    return stored === null ? ((await this.database.write(store)) ?? undefined) : stored
  }

  private async record(one: DeliveryTry, at: Date, verdict: TryVerdict): Promise<void> {
    const { claimed, leaseId } = one
    const { deliveryId, endpointId, tries, resendId } = claimed
    const { retryAfterSeconds } = verdict
    const random = Math.random()
    const nextSeconds = nextTrySeconds({ tries, retryAfterSeconds, scale: this.scale, random })
    const operationId = newUuid()
    const ids = { deliveryId, endpointId, operationId, leaseId, resendId }
    const tried = { ...verdict, ...ids, at, nextSeconds, scale: this.scale }
    const state = await this.database.write((run) => recordTry(run, tried))
    this.metrics.record(verdict, claimed, state)
  }

  private async release({ claimed, leaseId }: DeliveryTry): Promise<void> {
    this.metrics.tries.released.inc()
    await this.database.write((run) => releaseDelivery(run, claimed.deliveryId, leaseId))
  }
}

const UNSIGNED: TryVerdict = {
  outcome: 'failed',
  status: undefined,
  error: UNREADABLE_SECRET,
  answer: undefined,
  retryAfterSeconds: undefined,
  breaksCircuit: false,
  isSlow: false,
  tookMs: 0,
}
