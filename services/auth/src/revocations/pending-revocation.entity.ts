import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm'

@Entity('revocation_outbox', { comment: 'revocations that are not yet published to Redis' })
export class PendingRevocation {
  @PrimaryColumn({
    name: 'session_id',
    type: 'uuid',
    primaryKeyConstraintName: 'revocation_outbox_pkey',
  })
  sessionId: string

  /** The entity's name instead of its class, since sessions/ imports this folder. */
  @ManyToOne('Session')
  @JoinColumn({ name: 'session_id', foreignKeyConstraintName: 'revocation_outbox_session_id_fkey' })
  session: object

  @Column({ name: 'revoked_at', type: 'timestamptz', precision: 3 })
  revokedAt: string
}
