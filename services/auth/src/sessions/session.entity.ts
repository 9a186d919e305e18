import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from 'typeorm'
import { User } from '../users/user.entity.js'

const TOKEN_COMMENT =
  'of the part that all refresh tokens of the session begin with; current_token_hash is of the rest'

/** What a login opens: the tokens that carry its id are valid while it lives. */
@Entity('sessions')
@Unique('sessions_refresh_token_hash_key', ['refreshTokenHash'])
@Index('sessions_ended_at_idx', ['endedAt', 'id'], { where: 'ended_at IS NOT NULL' })
@Index('sessions_living_of_user_idx', ['userId'], { where: 'ended_at IS NULL' })
export class Session {
  /** UUIDv7, the `sid` of its tokens. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'sessions_pkey' })
  id: string

  @Column({ name: 'user_id', type: 'uuid' })
  userId: string

  @ManyToOne(() => User)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'sessions_user_id_fkey' })
  user: User

  /** SHA-256 of what all refresh tokens of the session begin with; they are kept nowhere. */
  @Column({ name: 'refresh_token_hash', type: 'bytea', comment: TOKEN_COMMENT })
  refreshTokenHash: Buffer

  /** SHA-256 of the rest of the one that is good; null: it has none, as those of the first release. */
  @Column({ name: 'current_token_hash', type: 'bytea', nullable: true })
  currentTokenHash: Buffer | null

  /** SHA-256 of the rest of the one before. */
  @Column({ name: 'previous_token_hash', type: 'bytea', nullable: true })
  previousTokenHash: Buffer | null

  /** When the one before was used for the first time; null: none was. */
  @Column({ name: 'rotated_at', type: 'timestamptz', precision: 3, nullable: true })
  rotatedAt: Date | null

  /** null: not since a release opened it that did not note this. */
  @Column({ name: 'last_used_at', type: 'timestamptz', precision: 3, nullable: true })
  lastUsedAt: Date | null

  /** Of the last use, as `address` is. */
  @Column({ name: 'user_agent', type: 'text', nullable: true })
  userAgent: string | null

  @Column({ type: 'inet', nullable: true })
  address: string | null

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt: Date

  @Column({ name: 'expires_at', type: 'timestamptz', precision: 3 })
  expiresAt: Date

  /** Set once, whatever ends it; a trigger then notes it in the list of the untold and the audit trail. */
  @Column({ name: 'ended_at', type: 'timestamptz', precision: 3, nullable: true })
  endedAt: Date | null

  @Column({ name: 'end_cause', type: 'text', nullable: true })
  endCause: 'logout' | 'revoked' | 'password' | 'scopes' | 'refresh_reuse' | null

  /** The user who ended it, if one did. */
  @Column({ name: 'ended_by', type: 'uuid', nullable: true })
  endedBy: string | null
}
