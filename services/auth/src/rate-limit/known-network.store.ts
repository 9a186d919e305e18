import type { Run, Statement } from '@malipo/kit/postgres/database'

const SESSION_FROM_NETWORK: Statement = {
  name: 'session_from_network',
  text: `
    SELECT 1
    FROM users
    JOIN sessions ON sessions.user_id = users.id
    WHERE users.phone = $1
      AND revoked_at IS NULL
      AND expires_at > now()
      AND address <<= $2::inet
    LIMIT 1`,
}

/** Whether the phone's owner has an active session that was last used from this network. */
export async function hasSessionFrom(run: Run, phone: string, network: string): Promise<boolean> {
  return (await run(SESSION_FROM_NETWORK, [phone, network])).length > 0
}
