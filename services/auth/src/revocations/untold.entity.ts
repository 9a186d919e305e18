import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm'
import { Session } from '../sessions/session.entity.js'

/** A session that is over and whose end Redis was not told yet. */
@Entity('revocations_untold', {
  comment: 'Sessions that are over and whose end Redis was not told yet',
})
export class UntoldRevocation {
  @PrimaryColumn({
    name: 'session_id',
    type: 'uuid',
    primaryKeyConstraintName: 'revocations_untold_pkey',
  })
  sessionId: string

  @ManyToOne(() => Session)
  @JoinColumn({
    name: 'session_id',
    foreignKeyConstraintName: 'revocations_untold_session_id_fkey',
  })
  session: Session

  /** When it ended. */
  @Column({ type: 'timestamptz', precision: 3 })
  at: Date
}
