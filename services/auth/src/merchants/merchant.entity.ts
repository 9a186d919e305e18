import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Column comments; they must equal those in the migration. */
const ID_COMMENT = 'of a user’s own merchant: the id of the user'

/** The owner of payments and API keys. A trigger creates the own merchant of each user. */
@Entity('merchants')
export class Merchant {
  @PrimaryColumn({
    type: 'uuid',
    primaryKeyConstraintName: 'merchants_pkey',
    comment: ID_COMMENT,
  })
  id: string

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt: string

  /** When set, a trigger revokes the merchant's keys, and the scopes and sessions of its user. */
  @Column({ name: 'closed_at', type: 'timestamptz', precision: 3, nullable: true })
  closedAt: string | null

  /** The operator who closed the merchant, if any. */
  @Column({ name: 'closed_by', type: 'uuid', nullable: true })
  closedBy: string | null
}
