import type { Request } from '@malipo/kit/http/request'
import { Inject, Injectable } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { CallerGuard } from '../caller/caller.guard.js'
import type { Caller, Scope } from '../caller/scopes.js'
import { PaymentWaits } from '../waits/payment-waits.js'
import { isKnown, type KnownVersions } from './etag.js'
import { OwnerReads } from './owner-reads.js'
import type { Payment } from './payment.entity.js'
import { PaymentsService } from './payments.service.js'
import { isTerminal } from './transitions.js'

/** A request to read a payment. */
interface Read {
  readonly caller: Caller
  /** The scopes of which the caller needs one. */
  readonly scopes: readonly Scope[]
  readonly paymentId: string | undefined
  /** For how many seconds the client waits for a change; undefined if it does not. */
  readonly wait: number | undefined
  readonly known: KnownVersions | undefined
}

/** Reads payments, and holds a read whose client waits for a change. */
@Injectable()
export class AwaitedPayments {
  constructor(
    @Inject(PaymentsService) private readonly payments: PaymentsService,
    @Inject(PaymentWaits) private readonly waits: PaymentWaits,
    @Inject(CallerGuard) private readonly guard: CallerGuard,
    @Inject(OwnerReads) private readonly ownerReads: OwnerReads,
  ) {}

  /**
   * Reads the payment once it has changed as the client asks, or as it is when the time since the arrival of the
   * request has passed. After each wait, the token is checked before the payment is read again.
   *
   * @throws Problem 404; 429 or 503 if too many requests wait; 401 if the token has expired or was revoked meanwhile
   */
  async get(
    { caller, scopes, paymentId, wait, known }: Read,
    reply: FastifyReply,
  ): Promise<Payment> {
    const request: Request = reply.request
    let viewer = caller
    let isOver = false
    for (;;) {
      const payment = await this.payments.get(viewer, paymentId)
      const isOwner = payment.ownerId === viewer.merchant
      if (isOwner && payment.account && payment.status === 'PENDING') {
        this.ownerReads.notify(payment.id)
      }
      const timeoutMs = (wait ?? 0) * 1_000 - reply.elapsedTime
      if (isOver || timeoutMs <= 0 || hasChanged(payment, known)) return payment
      const { id, version } = payment
      const awaited = { paymentId: id, version, callerId: caller.id, timeoutMs }
      isOver = (await this.waits.untilChanged(awaited)) === 'over'
      viewer = await this.guard.admit(request, scopes)
    }
  }
}

/** Whether the client waits no longer: for another version than the one it has, or else for a final status. */
function hasChanged(payment: Payment, known: KnownVersions | undefined): boolean {
  return known === undefined ? isTerminal(payment.status) : !isKnown(payment.version, known)
}
