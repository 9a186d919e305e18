import type { Run, Statement } from '@malipo/kit/postgres/database'

export interface Holder {
  phone: string
  email: string
}

const SESSION_HOLDER: Statement = {
  name: 'session_holder',
  text: `
    SELECT users.phone, users.email
    FROM sessions
    JOIN users ON users.id = sessions.user_id
    WHERE sessions.id = $1
      AND sessions.user_id = $2
      AND sessions.revoked_at IS NULL
      AND sessions.expires_at > now()`,
}

/** The user of an active session; undefined if it was revoked, has expired or belongs to another user. */
export async function holderOf(
  run: Run,
  session: { sid: string; sub: string },
): Promise<Holder | undefined> {
  return (await run<Holder>(SESSION_HOLDER, [session.sid, session.sub]))[0]
}
