import type { ClientChecks } from '@malipo/kit/postgres/client-checks'
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
  clientChecks: {
    users_phone_is_e164: 'phone',
    users_email_is_normal: 'email',
    users_scopes_have_no_null: 'scopes',
    sessions_user_agent_is_short: 'User-Agent',
    audit_events_user_agent_is_short: 'User-Agent',
  },
} satisfies Migrated & { clientChecks: ClientChecks }
