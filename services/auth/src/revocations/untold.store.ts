import type { Run } from '@malipo/kit/postgres/database'

/** A revoked session, as it is in the database. */
export interface Ended {
  sid: string
  at: Date
}

/** The statements on ends of sessions that are to be told, or told again. */

const UNTOLD = {
  name: 'untold-revocations',
  text: `
    SELECT session_id AS sid, revoked_at AS at
    FROM revocation_outbox
    ORDER BY revoked_at
    LIMIT $1`,
}

/** What Redis was not told yet, the oldest first. */
export async function untold(run: Run, most: number): Promise<Ended[]> {
  return run<Ended>(UNTOLD, [most])
}

const UNTOLD_OF_USER = {
  name: 'untold-revocations-of-user',
  text: `
    SELECT session_id AS sid, revocation_outbox.revoked_at AS at
    FROM revocation_outbox
    JOIN sessions ON sessions.id = session_id
    WHERE user_id = $1
    ORDER BY revocation_outbox.revoked_at DESC
    LIMIT 1000`,
}

/** What Redis was not told yet of a user's sessions, the last first; 1000 at most, the rest waits. */
export async function untoldOf(run: Run, userId: string): Promise<Ended[]> {
  return run<Ended>(UNTOLD_OF_USER, [userId])
}

const TOLD = {
  name: 'told-revocations',
  text: `DELETE FROM revocation_outbox WHERE session_id = ANY ($1::uuid[])`,
}

export async function told(run: Run, sids: readonly string[]): Promise<void> {
  await run(TOLD, [sids])
}

const FORGET_OVER = {
  name: 'forget-over-revocations',
  text: `
    DELETE FROM revocation_outbox
    WHERE revoked_at < now() - make_interval(secs => $1)`,
}

/** Forgets what need not be told any more: the tokens of those sessions are all over by themselves. */
export async function forgetOver(run: Run, lifeSeconds: number): Promise<void> {
  await run(FORGET_OVER, [lifeSeconds])
}

/** Where a page of ended sessions begins: after this one. */
export type Place = Ended | undefined

const ENDED_SINCE = {
  name: 'ended-since',
  text: `
    SELECT id AS sid, revoked_at AS at
    FROM sessions
    WHERE revoked_at >= now() - make_interval(secs => $1)
      AND (revoked_at, id) > ($2, $3)
    ORDER BY revoked_at, id
    LIMIT $4`,
}

const FIRST = { sid: '00000000-0000-0000-0000-000000000000', at: new Date(0) }

/** Sessions that ended within the last `lifeSeconds`, the first one first, whether told or not. */
export async function endedSince(
  run: Run,
  lifeSeconds: number,
  after: Place,
  most: number,
): Promise<Ended[]> {
  const { at, sid } = after ?? FIRST
  return run<Ended>(ENDED_SINCE, [lifeSeconds, at, sid, most])
}
