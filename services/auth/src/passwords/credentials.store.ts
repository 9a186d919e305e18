import type { Run, Statement } from '@malipo/kit/postgres/database'
import { isoTime } from '@malipo/kit/postgres/iso-time'
import { timeLeftMs } from '@malipo/kit/telemetry/request-context'
import { countOrRecover } from '../audit/audit.store.js'
import type { Origin } from '../client-context/client-context.js'
import { DEVICE_TOKEN_DAYS, type DeviceToken } from '../tokens/device-token.js'

export interface Credentials {
  id: string
  passwordHash: string
  /** Incremented by each new password. */
  passwordVersion: number
  /** When the request's response is due, by the database's clock; ISO 8601. */
  deadline: string
}

/** An account, and whether its owner's client is recognised. */
export interface LoginCandidate extends Credentials {
  /** The session whose device token or access token the client presented; null if none is valid. */
  clientSid: string | null
  /** Whether an active session was last used from the client's network. */
  isOwnersNetwork: boolean
}

export interface LoginQuery {
  phone: string
  deviceToken: DeviceToken | undefined
  /** The session of the access token that the client presented. */
  sid: string | undefined
  /** In CIDR notation; null if the address is unknown. */
  network: string | null
}

/*
 * A device token remains valid after a logout, an expiry or a removed scope. It becomes invalid with a new
 * password, and with a revocation that suggests that another person has it.
 */
const LOGIN_CANDIDATE: Statement = {
  name: 'login_candidate',
  text: `
    SELECT users.id, password_hash AS "passwordHash", users.password_version AS "passwordVersion",
           ${isoTime('clock_timestamp() + make_interval(secs => $6::float8 / 1000)')} AS deadline,
           client.id AS "clientSid",
           EXISTS (
             SELECT
             FROM sessions
             WHERE user_id = users.id
               AND revoked_at IS NULL
               AND expires_at > now()
               AND address <<= $5::inet
           ) AS "isOwnersNetwork"
    FROM users
    LEFT JOIN LATERAL (
      SELECT id
      FROM sessions
      WHERE user_id = users.id
        AND (
          (
            id = $2::uuid
            AND device_token_hash = $3
            AND sessions.password_version = users.password_version
            AND last_used_at > now() - interval '${DEVICE_TOKEN_DAYS * 24} hours'
            AND (
              revoked_at IS NULL OR revocation_cause NOT IN ('revoked', 'password', 'refresh_reuse')
            )
          )
          OR (id = $4::uuid AND revoked_at IS NULL AND expires_at > now())
        )
      LIMIT 1
    ) AS client ON true
    WHERE phone = $1`,
}

/** Outside of a request. */
const DEADLINE_MS = 60_000

/** undefined if no account has the phone. */
export async function loginCandidate(
  run: Run,
  { phone, deviceToken, sid, network }: LoginQuery,
): Promise<LoginCandidate | undefined> {
  const client = [deviceToken?.sid, deviceToken?.secretHash, sid, network]
  const values = [phone, ...client, timeLeftMs(DEADLINE_MS)]
  return (await run<LoginCandidate>(LOGIN_CANDIDATE, values))[0]
}

/* Executed late, it changes nothing if the hash was replaced in the meantime. */
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

/* Executed late, it changes nothing if another change has incremented the version in the meantime. */
const PASSWORD_CHANGE: Statement = {
  name: 'password_change',
  text: `
    WITH changed AS (
      UPDATE users
      SET password_hash = $5, password_version = password_version + 1
      WHERE id = $2 AND password_version = $4
      RETURNING id
    ), remaining AS (
      UPDATE sessions
      SET password_version = password_version + 1
      FROM changed
      WHERE sessions.id = $3::uuid AND user_id = changed.id
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
