import { Column, Entity, PrimaryColumn } from 'typeorm'
import type { Status } from './transitions.js'

/** The kinds of operations that change a payment. */
export const CAUSES = ['create', 'status', 'webhook', 'attempt'] as const
export type Cause = (typeof CAUSES)[number]

/** A version of a payment, inserted by the statement that changes the payment. The table is append-only. */
@Entity('payment_events')
export class PaymentEvent {
  @PrimaryColumn({ type: 'uuid', name: 'payment_id' })
  paymentId: string

  /** The payment's version after the change. */
  @PrimaryColumn({ type: 'integer' })
  version: number

  @Column({ type: 'text', name: 'from_status', nullable: true })
  fromStatus: Status | null

  @Column({ type: 'text', name: 'to_status' })
  toStatus: Status

  /** ISO 8601 in UTC with milliseconds. */
  @Column({ type: 'timestamptz', precision: 3 })
  at: string

  /** The id of the user, or the name of the provider, that changed the payment. */
  @Column({ type: 'text' })
  actor: string

  @Column({ type: 'text' })
  cause: Cause

  @Column({ type: 'text', nullable: true })
  reason: string | null

  @Column({ type: 'text', name: 'last_webhook_id', nullable: true })
  lastWebhookId: string | null

  /** The message of the provider that caused the change of an attempt. */
  @Column({ type: 'uuid', name: 'message_id', nullable: true })
  messageId: string | null
}
