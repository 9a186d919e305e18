import type { Migrated } from '@malipo/kit/postgres/migrate'
import { AuditEvent } from './audit/audit-event.entity.js'
import { UsersAndSessions1767225600000 } from './migrations/1767225600000-users-and-sessions.js'
import { SessionLifecycle1769904000000 } from './migrations/1769904000000-session-lifecycle.js'
import { UntoldRevocation } from './revocations/untold.entity.js'
import { Session } from './sessions/session.entity.js'
import { User } from './users/user.entity.js'

/**
 * Explicit lists: a pattern of file names would find other files in a test than in a build. The rights
 * are those of the service's own role; accounts are never deleted by it, and the audit
 * trail is only ever added to.
 */
export const OWN = {
  entities: [User, Session, UntoldRevocation, AuditEvent],
  migrations: [UsersAndSessions1767225600000, SessionLifecycle1769904000000],
  rights: {
    users: ['SELECT', 'INSERT', 'UPDATE'],
    sessions: ['SELECT', 'INSERT', 'UPDATE'],
    revocations_untold: ['SELECT', 'INSERT', 'DELETE'],
    audit_events: ['SELECT', 'INSERT'],
  },
} satisfies Migrated
