import { Column, Entity, PrimaryColumn } from 'typeorm'
import type { Status } from './transitions.js'

/** Which call changed the payment. */
export const CAUSES = ['create', 'status', 'webhook'] as const
export type Cause = (typeof CAUSES)[number]

/** One change of a payment, written by the statement that made it and never touched again. */
@Entity('payment_events')
export class PaymentEvent {
  @PrimaryColumn({ type: 'uuid', name: 'payment_id' })
  paymentId: string

  /** The payment's version that this change made. */
  @PrimaryColumn({ type: 'integer' })
  version: number

  /** Ours for one request: by it a request that lost its answer knows what it did. */
  @Column({ type: 'uuid', name: 'operation_id' })
  operationId: string

  @Column({ type: 'text', name: 'from_status', nullable: true })
  fromStatus: Status | null

  @Column({ type: 'text', name: 'to_status' })
  toStatus: Status

  @Column({ type: 'timestamptz', precision: 3 })
  at: Date

  /** A user's id, or a provider's name. */
  @Column({ type: 'text' })
  actor: string

  @Column({ type: 'text' })
  cause: Cause

  @Column({ type: 'text', nullable: true })
  reason: string | null

  @Column({ type: 'text', name: 'last_webhook_id', nullable: true })
  lastWebhookId: string | null
}
