import { Column, Entity, PrimaryColumn, Unique } from 'typeorm'

/** As the migration puts it into the database. */
const SCOPES_COMMENT = 'NULL: what the MODE gives to every user; else exactly these'
const VERSION_COMMENT =
  'one more with each new password; another hash of the same password is not a new one'

/** A person with an account, found by phone or email, each of which belongs to one account only. */
@Entity('users')
@Unique('users_phone_key', ['phone'])
@Unique('users_email_key', ['email'])
export class User {
  /** UUIDv7, made by the service: also the operation id of the registration. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'users_pkey' })
  id: string

  /** E.164, such as `+256772123456`. */
  @Column({ type: 'text' })
  phone: string

  /** Lower case. */
  @Column({ type: 'text' })
  email: string

  /** bcrypt. It is never selected unless asked for by name. */
  @Column({ name: 'password_hash', type: 'text', select: false })
  passwordHash: string

  /** One more with each new password; another hash of the same password is not a new one. */
  @Column({ name: 'password_version', type: 'integer', default: 1, comment: VERSION_COMMENT })
  passwordVersion: number

  /** null: what the `MODE` gives to every user; else exactly these. */
  @Column({ type: 'text', array: true, nullable: true, comment: SCOPES_COMMENT })
  scopes: string[] | null

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt: Date
}
