import type { Run, Statement } from '@malipo/kit/postgres/database'
import { countOrRecover } from '../audit/audit.store.js'
import type { Origin } from '../client-context/client-context.js'

export interface Credentials {
  id: string
  passwordHash: string
  /** Incremented by each new password. */
  passwordVersion: number
}

const CREDENTIALS_BY_PHONE: Statement = {
  name: 'credentials_by_phone',
  text: `
    SELECT id, password_hash AS "passwordHash", password_version AS "passwordVersion"
    FROM users
    WHERE phone = $1`,
}

export async function credentialsOf(run: Run, phone: string): Promise<Credentials | undefined> {
  return (await run<Credentials>(CREDENTIALS_BY_PHONE, [phone]))[0]
}

const PASSWORD_REHASH: Statement = {
  name: 'password_rehash',
  text: `
    UPDATE users
    SET password_hash = $3
    WHERE id = $1 AND password_hash = $2`,
}

/** Replaces a password's hash, unless the password was changed in the meantime. */
export async function replaceHash(run: Run, from: Credentials, to: string): Promise<void> {
  await run(PASSWORD_REHASH, [from.id, from.passwordHash, to])
}

interface NewPassword {
  /** Id of the audit event, which is also the operation id. */
  id: string
  userId: string
  /** The session that stays active after the change. */
  sid: string
  /** Version of the password that was verified as the current one. */
  passwordVersion: number
  passwordHash: string
  origin: Origin
}

const PASSWORD_CHANGE: Statement = {
  name: 'password_change',
  text: `
    WITH changed AS (
      UPDATE users
      SET password_hash = $5, password_version = password_version + 1
      WHERE id = $2 AND password_version = $4
      RETURNING id
    ), audited AS (
      INSERT INTO audit_events (id, kind, user_id, actor_id, session_id, address, user_agent)
      SELECT $1, 'password_change', id, id, $3::uuid, $6::inet, $7::text
      FROM changed
    )
    SELECT count(revoked.session_id)::integer AS revoked
    FROM changed
    LEFT JOIN LATERAL revoke_sessions_of(changed.id, $3::uuid, 'password', changed.id) AS revoked
      ON true
    GROUP BY changed.id`,
}

/** @returns the number of other sessions revoked; undefined if another password change committed first */
export async function changePassword(
  run: Run,
  retried: boolean,
  { id, userId, sid, passwordVersion, passwordHash, origin: { address, userAgent } }: NewPassword,
): Promise<number | undefined> {
  const values = [id, userId, sid, passwordVersion, passwordHash, address, userAgent]
  const [changed] = await run<{ revoked: number }>(PASSWORD_CHANGE, values)
  return countOrRecover(run, { id, retried }, changed)
}
