import { createApp } from '@malipo/kit/bootstrap'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import type { Type } from '@nestjs/common'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AppModule } from '../src/app.module.js'
import { readEnv } from '../src/env.js'
import { AttemptCounter } from '../src/rate-limit/attempt-counter.js'
import { SessionSweeper } from '../src/sessions/session-sweeper.js'
import { type Auth, environment, newSession, newUser, startAuth } from './auth.js'

const DAY_MS = 86_400_000

let auth: Auth
let userId: string
beforeAll(async () => {
  auth = await startAuth({ REDIS_URL: undefined })
  userId = (await newUser(auth.client)).id
})
afterAll(() => auth.close())

/** Inserts a session that was not used after it was opened, 65 days before it expired. */
async function insertSession(expiredDaysAgo: number): Promise<string> {
  const expiresAt = Date.now() - expiredDaysAgo * DAY_MS
  const openedAt = new Date(expiresAt - 65 * DAY_MS)
  const random = Math.floor(Math.random() * 0xffff_ffff_ffff)
    .toString(16)
    .padStart(12, '0')
  const id = minUuidAt(openedAt).slice(0, -12) + random
  await auth.sql(
    `INSERT INTO sessions (id, user_id, refresh_token_hash, current_token_hash, created_at,
                           last_used_at, expires_at)
     VALUES ($1, $2, sha256($3::bytea), sha256($3::bytea), $4, $4, $5)`,
    id,
    userId,
    id,
    openedAt,
    new Date(expiresAt),
  )
  return id
}

const remaining = async (...ids: string[]) =>
  (await auth.sql<{ id: string }>('SELECT id FROM sessions WHERE id = ANY ($1)', ids)).map(
    ({ id }) => id,
  )

async function sweep(type: Type<{ sweep(): Promise<number> }> = SessionSweeper) {
  const env = readEnv(environment({ REDIS_URL: undefined, DATABASE_URL: auth.databaseUrl }))
  const app = await createApp(AppModule, env)
  await app.listen(0, '127.0.0.1')
  const deleted = await app.get(type).sweep()
  await app.close()
  return deleted
}

it('deletes sessions that expired more than 30 days ago, and no others', async () => {
  const { sid } = await newSession(auth.client)
  const [old, recent] = [await insertSession(31), await insertSession(29)]
  await sweep()
  expect(await remaining(old, recent, sid)).toEqual(expect.arrayContaining([recent, sid]))
  expect(await remaining(old)).toEqual([])
})

it('keeps a session whose revocation is not published, and its audit events', async () => {
  const [pending, revoked] = [await insertSession(31), await insertSession(31)]
  await auth.sql('UPDATE sessions SET revoked_at = now() WHERE id = ANY ($1)', [pending, revoked])
  await auth.sql('DELETE FROM revocation_outbox WHERE session_id = $1', revoked)
  await sweep()
  expect(await remaining(pending, revoked)).toEqual([pending])
  const events = await auth.sql(
    `SELECT 1 FROM audit_events WHERE kind = 'revocation' AND session_id = $1`,
    revoked,
  )
  expect(events).toHaveLength(1)
})

it('deletes in batches until none is left', async () => {
  await auth.sql(
    `INSERT INTO sessions (id, user_id, refresh_token_hash, current_token_hash, created_at,
                           last_used_at, expires_at)
     SELECT ('0190' || substr(gen_random_uuid()::text, 5))::uuid, $1, sha256(n::text::bytea),
            sha256(n::text::bytea), now() - interval '91 days', now() - interval '91 days',
            now() - interval '60 days'
     FROM generate_series(1, 1200) AS n`,
    userId,
  )
  const app = await createApp(
    AppModule,
    readEnv(environment({ REDIS_URL: undefined, DATABASE_URL: auth.databaseUrl })),
  )
  await app.listen(0, '127.0.0.1')
  const expired = () =>
    auth.sql(`SELECT 1 FROM sessions WHERE expires_at < now() - interval '50 days'`)
  await expect.poll(expired, { timeout: 20_000 }).toEqual([])
  await app.close()
})

it('deletes a session only when its device token has expired too', async () => {
  const [valid, expired] = [await insertSession(31), await insertSession(31)]
  await auth.sql(
    `UPDATE sessions
     SET last_used_at = now() - make_interval(days => CASE id WHEN $1 THEN 89 ELSE 91 END)
     WHERE id = ANY ($2)`,
    valid,
    [valid, expired],
  )
  await sweep()
  expect(await remaining(valid, expired)).toEqual([valid])
})

it('deletes counted attempts when all of them have expired', async () => {
  await auth.sql(
    `INSERT INTO login_attempts (subject, expires_at)
     VALUES (sha256('old'), now() - interval '1 s'), (sha256('new'), now() + interval '1 min')`,
  )
  await sweep(AttemptCounter)
  const rows = await auth.sql(`SELECT subject = sha256('new') AS "isNew" FROM login_attempts`)
  expect(rows).toEqual([{ isNew: true }])
})
