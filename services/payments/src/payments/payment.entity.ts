import { Column, Entity, PrimaryColumn } from 'typeorm'
import type { PaymentMethod } from '../money/payment-methods.js'
import type { FailureCode } from '../providers/failures.js'
import type { Status } from './transitions.js'

/** A time, which `paymentColumns` selects as on the wire. */
const TIME = { type: 'timestamptz', precision: 3 } as const

/** A success that the provider reported after the payment had failed. */
export interface LateSuccess {
  readonly amountMinor: string
  readonly providerTransactionId: string | null
  /** ISO 8601, as PostgreSQL writes it in JSON. */
  readonly at: string
}

/** The current state of a payment. Its events store the mutable columns of each version. */
@Entity('payments')
export class Payment {
  @PrimaryColumn({ type: 'uuid' })
  id: string

  /** The `sub` of the token with which the payment was created. */
  @Column({ type: 'uuid', name: 'owner_id' })
  ownerId: string

  /** In minor units of the currency. It is a string, because `pg` returns a bigint as a string. */
  @Column({ type: 'bigint', name: 'amount_minor' })
  amountMinor: string

  @Column({ type: 'text' })
  currency: string

  @Column({ type: 'text', name: 'payment_method' })
  paymentMethod: PaymentMethod

  @Column({ type: 'text', name: 'customer_phone' })
  customerPhone: string

  @Column({ type: 'text', name: 'customer_email' })
  customerEmail: string

  @Column({ type: 'text', nullable: true })
  description: string | null

  @Column({ type: 'jsonb' })
  metadata: Record<string, string>

  @Column({ type: 'text' })
  status: Status

  /** The provider account; null for `manual`. */
  @Column({ type: 'text', nullable: true })
  account: string | null

  @Column({ type: 'text', nullable: true })
  failure: FailureCode | null

  /** The provider's own code of the failure. */
  @Column({ type: 'text', name: 'provider_code', nullable: true })
  providerCode: string | null

  @Column({ type: 'boolean', name: 'needs_attention' })
  needsAttention: boolean

  /** Whether the payment succeeded without a statement of its amount. */
  @Column({ type: 'boolean', name: 'amount_unverified' })
  amountUnverified: boolean

  @Column({ type: 'jsonb', name: 'late_success', nullable: true })
  lateSuccess: LateSuccess | null

  @Column({ type: 'text', name: 'provider_name', nullable: true })
  providerName: string | null

  @Column({ type: 'text', name: 'provider_transaction_id', nullable: true })
  providerTransactionId: string | null

  @Column({ type: 'text', name: 'last_webhook_id', nullable: true })
  lastWebhookId: string | null

  @Column({ ...TIME, name: 'last_webhook_at', nullable: true })
  lastWebhookAt: string | null

  @Column({ ...TIME, name: 'created_at' })
  createdAt: string

  @Column({ ...TIME, name: 'updated_at' })
  updatedAt: string

  @Column({ type: 'integer' })
  version: number
}
