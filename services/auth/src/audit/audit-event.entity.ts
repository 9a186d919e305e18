import { Column, Entity, Index, PrimaryColumn } from 'typeorm'

export const KINDS = [
  'registration',
  'login',
  'login_failure',
  'refresh_reuse',
  'revocation',
  'password_change',
  'grant',
] as const

/** What the audit trail knows of. */
export type Kind = (typeof KINDS)[number]

const USER_COMMENT = 'whose account it is about; NULL: a phone that nobody has'
const ACTOR_COMMENT = 'who did it; NULL: not known, or who has the database'

/**
 * Something that an auditor may ask about, written by the statement that does it, and never changed: the
 * database refuses. It names accounts by their ids alone, never by phone or email.
 */
@Entity('audit_events')
@Index('audit_events_user_id_id_idx', ['userId', 'id'])
@Index('audit_events_kind_id_idx', ['kind', 'id'])
export class AuditEvent {
  /** UUIDv7, made by the database: the order is that of time. */
  @PrimaryColumn({
    type: 'uuid',
    primaryKeyConstraintName: 'audit_events_pkey',
    default: () => 'uuidv7()',
  })
  id: string

  @Column({ type: 'timestamptz', precision: 3, default: () => 'clock_timestamp()' })
  at: Date

  @Column({ type: 'text' })
  kind: Kind

  /** Whose account it is about; null: a phone that nobody has. */
  @Column({ name: 'user_id', type: 'uuid', nullable: true, comment: USER_COMMENT })
  userId: string | null

  /** Who did it; null: not known, or who has the database. */
  @Column({ name: 'actor_id', type: 'uuid', nullable: true, comment: ACTOR_COMMENT })
  actorId: string | null

  @Column({ name: 'session_id', type: 'uuid', nullable: true })
  sessionId: string | null

  @Column({ type: 'inet', nullable: true })
  address: string | null

  @Column({ name: 'user_agent', type: 'text', nullable: true })
  userAgent: string | null

  /** The `cause` of a revocation; the `scopes` that were granted, and those `before`. */
  @Column({ type: 'jsonb', default: {} })
  detail: Record<string, unknown>
}
