import { randomBytes } from 'node:crypto'
import type { Problem } from '@malipo/kit/http/problem'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { currentTraceParent } from '@malipo/kit/telemetry/tracing'
import { Inject, Injectable } from '@nestjs/common'
import type { PaymentMethod } from '../money/payment-methods.js'
import { refused } from '../problems.js'
import { ProviderAccounts } from './provider-accounts.js'
import { adapterNamed } from './registry.js'

/** A payment before it is stored. */
export interface PlannedPayment {
  readonly id: string
  readonly merchant: string
  readonly amountMinor: bigint
  readonly currency: string
  readonly paymentMethod: PaymentMethod
  readonly customerPhone: string
  readonly provider: string | undefined
  readonly at: Date
}

/** An attempt that is stored together with its payment. */
export interface PlannedAttempt {
  readonly id: string
  readonly account: string
  readonly adapter: string
  readonly reference: string
  /** ISO 8601. */
  readonly sendUntil: string
  /** Of the request, if it is recorded. */
  readonly traceParent: string | undefined
  readonly limits:
    | {
        readonly payerOpen: number
        readonly payerHourly: number
        readonly merchantDaily: number
      }
    | undefined
}

/** When, and how often, a payer is asked for money. */
export interface Sending {
  /** A payment that is not sent within this time fails. */
  readonly withinMs: number
  readonly limits: PlannedAttempt['limits']
}

/** The injection token of these rules. */
export const SENDING = Symbol('sending')

/** Chooses the account of a new payment, and plans its attempt. */
@Injectable()
export class NewAttempts {
  private readonly listeners: ((account: string) => void)[] = []

  constructor(
    @Inject(ProviderAccounts) private readonly accounts: ProviderAccounts,
    @Inject(SENDING) private readonly sending: Sending,
  ) {}

  /** Plans the attempt of a payment; undefined with the provider `manual`; 422 if no account takes the payment. */
  plan(payment: PlannedPayment): PlannedAttempt | Problem | undefined {
    const reference = `PAY-${payment.id}`
    const { paymentMethod: method, customerPhone: phone, ...rest } = payment
    const choice = this.accounts.choose({ ...rest, reference, method, phone })
    if (choice.kind === 'manual') return undefined
    if (choice.kind === 'refused') return refused(choice.refusal)
    const { name, adapter } = choice.account
    const known = adapterNamed(adapter)
    if (!known) throw new Error(`there is no adapter ${adapter}`)
    return {
      id: newUuid(payment.at.getTime()),
      account: name,
      adapter,
      reference: known.newReference(randomBytes(16), reference),
      sendUntil: new Date(payment.at.getTime() + this.sending.withinMs).toISOString(),
      traceParent: currentTraceParent(),
      limits: this.sending.limits,
    }
  }

  /** Calls `listener` when an attempt of an account was stored by this process. */
  onStored(listener: (account: string) => void): void {
    this.listeners.push(listener)
  }

  wake(account: string): void {
    for (const listener of this.listeners) listener(account)
  }
}
