import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { withLinkedSpan } from '@malipo/kit/telemetry/tracing'
import { Inject, Injectable } from '@nestjs/common'
import { referenceOf } from '../payments/payment.view.js'
import type { Charge } from '../providers/adapter.js'
import { chargeOf } from '../providers/charge.js'
import { messageOfAnswer } from './answer-message.js'
import { AttemptMetrics } from './attempt-metrics.js'
import { recordCall } from './circuits.store.js'
import type { CallKind, Claimed } from './claim.store.js'
import type { ClientOf } from './clients.js'
import { afterQuery, afterSend, type CallFacts, type Followed } from './conclusions.js'
import { Conclusions } from './conclusions.service.js'
import { isQueryable } from './queryable.js'

/** How calls are paced: PROVIDER_… of the environment. */
export interface Pacing {
  /** Factor of all delays. */
  readonly scale: number
  readonly leaseSeconds: number
  readonly pauseMaxSeconds: number
  readonly queryMaxSeconds: number
}

/** The injection token of the pacing. */
export const PACING = Symbol('pacing')

const FIRST_PAUSE_SECONDS = 10

/** A claimed call. */
export interface Call {
  readonly kind: CallKind
  readonly claimed: Claimed
  readonly client: ClientOf
  readonly leaseId: string
  /** Whether so much of the lease is left that the call may still begin. */
  readonly isFresh: () => boolean
}

/** Makes claimed calls to providers, and stores what their answers mean. */
@Injectable()
export class CallRunner {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Conclusions) private readonly conclusions: Conclusions,
    @Inject(AttemptMetrics) private readonly metrics: AttemptMetrics,
    @Inject(PACING) private readonly pacing: Pacing,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** The timeout of a call, and the time after it for which no other replica takes over the call. */
  leaseSecondsOf({ adapter }: ClientOf, kind: CallKind): number {
    const call = kind === 'send' ? adapter.initiate : adapter.query
    return (call?.timeoutSeconds ?? 0) + this.pacing.leaseSeconds
  }

  /** Makes the call and stores what follows. It never fails: after an error, the lease ends and a query follows. */
  async perform(call: Call): Promise<void> {
    const { kind, claimed, client } = call
    // The claim has set the payment to PENDING.
    if (kind === 'send') this.conclusions.announce(claimed.paymentId, claimed.ownerId)
    const attributes = { 'malipo.account': client.account.name }
    const span = { name: `attempt ${kind}`, attributes }
    try {
      await withLinkedSpan(span, claimed.traceParent, () => this.make(call))
    } catch (error) {
      // The lease ends, and the attempt is queried.
      this.metrics.leases.failed.inc()
      this.log.warn({ err: error, account: client.account.name, call: kind }, 'a call failed')
    }
  }

  private async make(call: Call): Promise<void> {
    const { kind, claimed, client } = call
    const charge = this.chargeOf(client, claimed)
    if (kind === 'query' && !isQueryable(client.adapter, charge.providerReference)) {
      await this.conclude(call, { to: 'in_doubt', attention: 'no_reference', ...NO_NEXT })
    } else if (kind === 'send') await this.send(call, charge)
    else await this.query(call, charge)
  }

  private async send(call: Call, charge: Charge): Promise<void> {
    const { claimed, client, isFresh } = call
    const outcome = await client.client.send(charge, isFresh)
    if (outcome.kind !== 'read') return this.giveBack(call, outcome.kind, 'queued')
    const { reading, result } = outcome
    this.metrics.leases.made.inc()
    const followed = afterSend(client.adapter, this.factsOf(claimed), reading, this.pace())
    const isFailure =
      reading.kind === 'may_have_happened' ||
      (reading.kind === 'not_sent' && reading.failure === 'provider_unavailable')
    const evidence = messageOfAnswer('send', client.account.name, reading, result)
    await this.store(call, isFailure, this.conclude(call, followed, evidence))
  }

  private async query(call: Call, charge: Charge): Promise<void> {
    const { claimed, client, isFresh } = call
    const outcome = await client.client.query(charge, isFresh)
    if (outcome.kind !== 'read') return this.giveBack(call, outcome.kind, undefined)
    const { reading, result } = outcome
    this.metrics.leases.made.inc()
    const followed = afterQuery(client.adapter, this.factsOf(claimed), reading, this.pace())
    const isNews = reading.kind !== 'pending' && reading.kind !== 'no_news'
    const isEvidence = isNews || Boolean(reading.flags?.length)
    const message = messageOfAnswer('query', client.account.name, reading, result)
    const concluded = this.conclude(call, followed, isEvidence ? message : undefined)
    await this.store(call, reading.kind === 'no_news', concluded)
  }

  /** The answer is stored although its failure or success can't be recorded, and the other way round. */
  private async store(call: Call, isFailed: boolean, concluded: Promise<void>): Promise<void> {
    const recorded = this.recordCall(call, isFailed)
    await concluded.finally(() => recorded)
  }

  /** A call that was not made, or must be repeated with another grant, is due at once. */
  private async giveBack(
    call: Call,
    reason: 'not_begun' | 'repeat',
    to: 'queued' | undefined,
  ): Promise<void> {
    this.metrics.leases.returned.inc()
    const isUncounted = reason === 'not_begun'
    await this.conclude(call, { to, missed: false, nextSeconds: 0 }, undefined, isUncounted)
  }

  private async conclude(
    { kind, claimed, client, leaseId }: Call,
    { missed, nextSeconds, ...facts }: Followed,
    evidence?: ReturnType<typeof messageOfAnswer>,
    uncounted = false,
  ): Promise<void> {
    const { name } = client.account
    const lease = {
      id: leaseId,
      call: kind,
      claimedAt: claimed.claimedAt,
      missed,
      nextSeconds,
      uncounted,
    }
    const cause = kind === 'send' ? 'response' : 'query'
    const conclusion = {
      attemptId: claimed.attemptId,
      cause,
      actor: name,
      ...facts,
      evidence,
      lease,
    } as const
    await this.conclusions.apply(name, conclusion)
  }

  private async recordCall({ kind, claimed, client }: Call, isFailed: boolean): Promise<void> {
    if (!isFailed && claimed.failures === 0) return
    const { scale, pauseMaxSeconds: maxSeconds } = this.pacing
    const pause = { firstSeconds: Math.min(FIRST_PAUSE_SECONDS * scale, maxSeconds), maxSeconds }
    const { name: account } = client.account
    try {
      await this.database.write((run) => recordCall(run, account, kind, isFailed, pause))
    } catch (error) {
      this.log.warn({ err: error, account, call: kind }, 'a call was not counted for the circuit')
    }
  }

  private chargeOf(client: ClientOf, claimed: Claimed): Charge {
    const { account, adapter } = client
    const facts = {
      reference: referenceOf(claimed.paymentId),
      amountMinor: BigInt(claimed.amountMinor),
      currency: claimed.currency,
      phone: claimed.phone,
    }
    const charge = chargeOf(adapter, account, facts, {
      reference: claimed.reference,
      providerReference: claimed.providerReference ?? undefined,
      callbackUrl: client.callbackUrlOf(claimed.attemptId),
    })
    if (typeof charge === 'object') return charge
    throw new Error(`the account ${account.name} can’t carry the ${charge} of an attempt`)
  }

  private factsOf(claimed: Claimed): CallFacts {
    const now = databaseNow()
    const secondsSince = (time: string) => (now - Date.parse(time)) / 1_000
    return {
      state: claimed.state,
      amountMinor: BigInt(claimed.amountMinor),
      currency: claimed.currency,
      tries: claimed.tries,
      misses: claimed.misses,
      sentSecondsAgo: claimed.sentAt === null ? 0 : secondsSince(claimed.sentAt),
      sendSecondsLeft: -secondsSince(claimed.sendUntil),
    }
  }

  private pace() {
    const { scale, queryMaxSeconds } = this.pacing
    return { scale, queryMaxSeconds, random: Math.random() }
  }
}

const NO_NEXT = { missed: false, nextSeconds: undefined } as const
