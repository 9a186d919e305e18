import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from 'typeorm'
import { User } from '../users/user.entity.js'

/** Column comments; they must equal those in the migration. */
const SESSION_PART_COMMENT = 'of the first part, which all refresh tokens of the session share'
const CURRENT_COMMENT = 'of the second part of the current refresh token'
const PASSWORD_COMMENT =
  'of the password that opened the session, or that the session set; another version invalidates its device token'
const PREDECESSORS_COMMENT =
  'recently replaced tokens by hash, each with its first use and the salt and hash of its successor'

/** A replaced refresh token. Hashes and the salt are hexadecimal. */
interface Predecessor {
  readonly salt: string
  readonly successor: string
  readonly usedAt: string
}

/** A login opens a session. Its access tokens are rejected once the session is revoked or expires. */
@Entity('sessions')
@Unique('sessions_refresh_token_hash_key', ['refreshTokenHash'])
@Index('sessions_revoked_at_idx', ['revokedAt', 'id'], { where: 'revoked_at IS NOT NULL' })
@Index('sessions_user_id_idx', ['userId'], { where: 'revoked_at IS NULL' })
export class Session {
  /** UUIDv7; the `sid` claim of the session's tokens. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'sessions_pkey' })
  id: string

  @Column({ name: 'user_id', type: 'uuid' })
  userId: string

  @ManyToOne(() => User)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'sessions_user_id_fkey' })
  user: User

  /** A SHA-256 hash, like the next column; refresh tokens themselves are not stored. */
  @Column({ name: 'refresh_token_hash', type: 'bytea', comment: SESSION_PART_COMMENT })
  refreshTokenHash: Buffer

  @Column({ name: 'current_token_hash', type: 'bytea', comment: CURRENT_COMMENT })
  currentTokenHash: Buffer

  @Column({ type: 'jsonb', default: {}, comment: PREDECESSORS_COMMENT })
  predecessors: Record<string, Predecessor>

  /** Recognises the client in later logins; see `tokens/device-token.ts`. */
  @Column({ name: 'device_token_hash', type: 'bytea', nullable: true })
  deviceTokenHash: Buffer | null

  @Column({ name: 'password_version', type: 'integer', default: 1, comment: PASSWORD_COMMENT })
  passwordVersion: number

  @Column({ name: 'last_used_at', type: 'timestamptz', precision: 3 })
  lastUsedAt: string

  /** The user agent of the last login or refresh, like `address`. */
  @Column({ name: 'user_agent', type: 'text', nullable: true })
  userAgent: string | null

  @Column({ type: 'inet', nullable: true })
  address: string | null

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt: string

  @Column({ name: 'expires_at', type: 'timestamptz', precision: 3 })
  expiresAt: string

  /** Set only once; a trigger then writes the outbox row and the audit event. */
  @Column({ name: 'revoked_at', type: 'timestamptz', precision: 3, nullable: true })
  revokedAt: string | null

  @Column({ name: 'revocation_cause', type: 'text', nullable: true })
  revocationCause:
    'logout' | 'revoked' | 'password' | 'scopes' | 'refresh_reuse' | 'session_limit' | null

  /** The user who revoked the session, if any. */
  @Column({ name: 'revoked_by', type: 'uuid', nullable: true })
  revokedBy: string | null
}
