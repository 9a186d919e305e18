import { Column, Entity, PrimaryColumn } from 'typeorm'

/** The attempts of one subject (an account, or a client of an account), which expire one after another. */
@Entity('login_attempts')
export class LoginAttempts {
  /** A SHA-256 hash, so that the table has no phone of a person without an account. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'login_attempts_pkey' })
  subject: Buffer

  @Column({
    name: 'expires_at',
    type: 'timestamptz',
    comment: 'when all counted attempts have expired',
  })
  expiresAt: string
}
