import { Column, Entity, PrimaryColumn } from 'typeorm'

@Entity('revocation_outbox', { comment: 'revocations that are not yet published to Redis' })
export class PendingRevocation {
  /** The id of a session or of an API key. */
  @PrimaryColumn({
    name: 'session_id',
    type: 'uuid',
    primaryKeyConstraintName: 'revocation_outbox_pkey',
  })
  sessionId: string

  @Column({ name: 'revoked_at', type: 'timestamptz', precision: 3 })
  revokedAt: string
}
