import type { Migrated } from '@malipo/kit/postgres/migrate'
import { AuditEvent } from './audit/audit-event.entity.js'
import { Initial1767225600000 } from './migrations/1767225600000-initial.js'
import { LoginAttempts } from './rate-limit/login-attempts.entity.js'
import { PendingRevocation } from './revocations/pending-revocation.entity.js'
import { Session } from './sessions/session.entity.js'
import { User } from './users/user.entity.js'

/** Explicit lists, because a glob would match different files in tests and in builds. */
export const dataSource = {
  entities: [User, Session, LoginAttempts, PendingRevocation, AuditEvent],
  migrations: [Initial1767225600000],
  /** The service never deletes accounts, and never changes existing events of the audit trail. */
  rights: {
    users: ['SELECT', 'INSERT', 'UPDATE'],
    sessions: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    login_attempts: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    revocation_outbox: ['SELECT', 'INSERT', 'DELETE'],
    audit_events: ['SELECT', 'INSERT'],
  },
} satisfies Migrated
