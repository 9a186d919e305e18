import { Column, Entity, PrimaryColumn } from 'typeorm'
import type { PaymentMethod } from '../money/payment-methods.js'
import type { Status } from './transitions.js'

/** A time, which `paymentColumns` selects as on the wire. */
const TIME = { type: 'timestamptz', precision: 3 } as const

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
