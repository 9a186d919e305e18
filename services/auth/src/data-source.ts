import type { Migrated } from '@malipo/kit/migrate'
import { UsersAndSessions1767225600000 } from './migrations/1767225600000-users-and-sessions.js'
import { Session } from './sessions/session.entity.js'
import { User } from './users/user.entity.js'

/**
 * Explicit lists: a pattern of file names would find other files in a test than in a build. The rights
 * are those of the service's own role; accounts are never deleted by it.
 */
export const OWN = {
  entities: [User, Session],
  migrations: [UsersAndSessions1767225600000],
  rights: {
    users: ['SELECT', 'INSERT', 'UPDATE'],
    sessions: ['SELECT', 'INSERT', 'UPDATE'],
  },
} satisfies Migrated
