import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from 'typeorm'
import { User } from '../users/user.entity.js'

/** What a login opens: the tokens that carry its id are valid while it lives. */
@Entity('sessions')
@Unique('sessions_refresh_token_hash_key', ['refreshTokenHash'])
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

  /** SHA-256 of the refresh token, which itself is kept nowhere. */
  @Column({ name: 'refresh_token_hash', type: 'bytea' })
  refreshTokenHash: Buffer

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt: Date

  @Column({ name: 'expires_at', type: 'timestamptz', precision: 3 })
  expiresAt: Date

  /** Set once, by a logout or a refresh token that was used twice. */
  @Column({ name: 'ended_at', type: 'timestamptz', precision: 3, nullable: true })
  endedAt: Date | null
}
