import type { ClientChecks } from '@malipo/kit/postgres/client-checks'
import type { Migrated } from '@malipo/kit/postgres/migrate'
import { ApiKey } from './api-keys/api-key.entity.js'
import { AuditEvent } from './audit/audit-event.entity.js'
import { Merchant } from './merchants/merchant.entity.js'
import { Initial1767225600000 } from './migrations/1767225600000-initial.js'
import { ApiKeys1795996800000 } from './migrations/1795996800000-api-keys.js'
import { OwnMerchants1795996800001 } from './migrations/1795996800001-own-merchants.js'
import { Erasures1796083200002 } from './migrations/1796083200002-erasures.js'
import { ErasureKind1796083200003 } from './migrations/1796083200003-erasure-kind.js'
import { LoginAttempts } from './rate-limit/login-attempts.entity.js'
import { PendingRevocation } from './revocations/pending-revocation.entity.js'
import { Session } from './sessions/session.entity.js'
import { User } from './users/user.entity.js'

/** Explicit lists, because a glob would match different files in tests and in builds. */
export const dataSource = {
  entities: [User, Session, LoginAttempts, PendingRevocation, AuditEvent, Merchant, ApiKey],
  migrations: [
    Initial1767225600000,
    ApiKeys1795996800000,
    OwnMerchants1795996800001,
    Erasures1796083200002,
    ErasureKind1796083200003,
  ],
  /** The service never deletes accounts, and never changes existing events of the audit trail. */
  rights: {
    users: ['SELECT', 'INSERT', 'UPDATE'],
    sessions: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    login_attempts: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    revocation_outbox: ['SELECT', 'INSERT', 'DELETE'],
    audit_events: ['SELECT', 'INSERT'],
    merchants: ['SELECT', 'UPDATE'],
    api_keys: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  },
  clientChecks: {
    users_phone_is_e164: 'phone',
    users_email_is_normal: 'email',
    users_scopes_have_no_null: 'scopes',
    api_keys_name_is_short: 'name',
    sessions_user_agent_is_short: 'User-Agent',
    audit_events_user_agent_is_short: 'User-Agent',
  },
} satisfies Migrated & { clientChecks: ClientChecks }
