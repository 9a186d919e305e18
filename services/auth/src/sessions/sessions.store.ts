import type { Run } from '@malipo/kit/database'

/** The statements on sessions, each a function from plain values to a plain row. */

export interface NewSession {
  id: string
  userId: string
  refreshTokenHash: Buffer
  lifetimeSeconds: number
}

const INSERT_SESSION = {
  name: 'insert-session',
  text: `
    INSERT INTO sessions (id, user_id, refresh_token_hash, created_at, expires_at)
    VALUES ($1, $2, $3, now(), now() + make_interval(secs => $4))
    ON CONFLICT ON CONSTRAINT sessions_pkey DO NOTHING`,
}

/** Opens a session. Its id is ours alone, so a row that has it already is this very session. */
export async function insertSession(run: Run, session: NewSession): Promise<void> {
  const { id, userId, refreshTokenHash, lifetimeSeconds } = session
  await run(INSERT_SESSION, [id, userId, refreshTokenHash, lifetimeSeconds])
}

export interface Holder {
  phone: string
  email: string
}

const HOLDER_OF_SESSION = {
  name: 'holder-of-session',
  text: `
    SELECT users.phone, users.email
    FROM sessions
    JOIN users ON users.id = sessions.user_id
    WHERE sessions.id = $1
      AND sessions.user_id = $2
      AND sessions.ended_at IS NULL
      AND sessions.expires_at > now()`,
}

/** Who a living session belongs to; undefined when it has ended, or is not that user's. */
export async function holderOf(
  run: Run,
  session: { sid: string; sub: string },
): Promise<Holder | undefined> {
  return (await run<Holder>(HOLDER_OF_SESSION, [session.sid, session.sub]))[0]
}
