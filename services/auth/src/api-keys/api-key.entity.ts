import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from 'typeorm'
import { Merchant } from '../merchants/merchant.entity.js'

/** Column comments; they must equal those in the migration. */
const ID_COMMENT = 'derived from the hash; the sid of the key, by which it is revoked in Redis'
const HINT_COMMENT = 'the prefix, and the first and last four characters'
const REPLACES_COMMENT = 'the key whose rotation created this one'
const ROTATED_COMMENT = 'of the rotation that replaced this key; it stays valid until expires_at'
const LIFETIME_COMMENT =
  'from creation to the first expires_at, which a rotation shortens; NULL: no expiry'

/** Why a key was revoked; NULL if it was revoked directly in the database. */
export const KEY_CAUSES = ['revoked', 'rotated', 'scopes', 'merchant_closed', 'expired'] as const
export type KeyCause = (typeof KEY_CAUSES)[number]

/** A secret of a merchant's server. The secret itself is not stored. */
@Entity('api_keys')
@Unique('api_keys_hash_key', ['hash'])
@Index('api_keys_merchant_id_idx', ['merchantId'])
@Index('api_keys_replaces_idx', ['replaces'], { where: 'replaces IS NOT NULL' })
@Index('api_keys_revoked_at_idx', ['revokedAt', 'id'], { where: 'revoked_at IS NOT NULL' })
@Index('api_keys_expires_at_idx', ['expiresAt'], { where: 'revoked_at IS NULL' })
export class ApiKey {
  @PrimaryColumn({
    type: 'uuid',
    primaryKeyConstraintName: 'api_keys_pkey',
    comment: ID_COMMENT,
  })
  id: string

  @Column({ name: 'merchant_id', type: 'uuid' })
  merchantId: string

  @ManyToOne(() => Merchant)
  @JoinColumn({ name: 'merchant_id', foreignKeyConstraintName: 'api_keys_merchant_id_fkey' })
  merchant: Merchant

  @Column({ type: 'text' })
  name: string

  /** SHA-256. */
  @Column({ type: 'bytea' })
  hash: Buffer

  @Column({ type: 'text', comment: HINT_COMMENT })
  hint: string

  @Column({ type: 'text', array: true })
  scopes: string[]

  @Column({ type: 'uuid', nullable: true, comment: REPLACES_COMMENT })
  replaces: string | null

  @Column({ name: 'created_by', type: 'uuid' })
  createdBy: string

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt: string

  @Column({ name: 'expires_at', type: 'timestamptz', precision: 3, nullable: true })
  expiresAt: string | null

  @Column({ name: 'lifetime_seconds', type: 'bigint', nullable: true, comment: LIFETIME_COMMENT })
  lifetimeSeconds: string | null

  @Column({
    name: 'rotated_at',
    type: 'timestamptz',
    precision: 3,
    nullable: true,
    comment: ROTATED_COMMENT,
  })
  rotatedAt: string | null

  /** To the minute. */
  @Column({ name: 'last_used_at', type: 'timestamptz', precision: 3, nullable: true })
  lastUsedAt: string | null

  /** Set only once; a trigger then writes the outbox row and the audit event. */
  @Column({ name: 'revoked_at', type: 'timestamptz', precision: 3, nullable: true })
  revokedAt: string | null

  @Column({ name: 'revocation_cause', type: 'text', nullable: true })
  revocationCause: KeyCause | null

  /** The user who revoked the key, if any. */
  @Column({ name: 'revoked_by', type: 'uuid', nullable: true })
  revokedBy: string | null
}
