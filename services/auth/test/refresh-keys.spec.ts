import { writeFileSync } from 'node:fs'
import type { Run } from '@malipo/kit/postgres/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRefreshToken, successorOf } from '../src/sessions/refresh-token.js'
import { rotate } from '../src/sessions/rotate.store.js'
import { ageRefreshes, type Auth, newSession, refreshKeysFile, startAuth } from './auth.js'

const [OLD, NEW] = [
  'an old key of at least thirty-two bytes',
  'a new key of at least thirty-two bytes',
]

let auth: Auth
let file: string
beforeAll(async () => {
  file = refreshKeysFile(OLD)
  auth = await startAuth({ REFRESH_KEYS_FILE: file })
})
afterAll(() => auth.close())

async function refresh(token: string, from = auth) {
  const { status, body, headers } = await from.client.post('/api/auth/refresh', {
    refresh_token: token,
  })
  const retryAfter = headers.get('retry-after')
  return { status, token: body.refresh_token as string, type: body.type as string, retryAfter }
}

const parsed = (text: string) => {
  const token = parseRefreshToken(text)
  if (!token) throw new Error('malformed')
  return token
}

/** Whether a key derived this successor, with the salt that the session stores. */
async function isDerivedBy(key: string, sid: string, token: string, successor: string) {
  const { hashes } = parsed(token)
  const [row] = await auth.sql<{ salt: string }>(
    `SELECT predecessors -> $2 ->> 'salt' AS salt FROM sessions WHERE id = $1`,
    sid,
    hashes.own.toString('hex'),
  )
  const salt = Buffer.from(row?.salt ?? '', 'hex')
  return successorOf(parsed(token), salt, Buffer.from(key)).text === successor
}

const metrics = async () => (await auth.client.get('/metrics')).body as string

const replica = (...keys: string[]) =>
  startAuth({ DATABASE_URL: auth.databaseUrl, REFRESH_KEYS_FILE: refreshKeysFile(...keys) })

describe('the refresh keys', () => {
  it('derive successors by the first key, and repeat those of all keys', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const first = await refresh(refreshToken)
    const rotated = await replica(NEW, OLD)
    try {
      expect((await refresh(refreshToken, rotated)).token).toBe(first.token)
      const second = await refresh(first.token, rotated)
      expect(await isDerivedBy(OLD, sid, refreshToken, first.token)).toBe(true)
      expect(await isDerivedBy(NEW, sid, first.token, second.token)).toBe(true)
    } finally {
      await rotated.close()
    }
  })

  it('are 503 for a successor of a key that the replica lacks, and revoke nothing', async () => {
    const { refreshToken } = await newSession(auth.client)
    const first = await refresh(refreshToken)
    const other = await replica(NEW)
    try {
      expect(await refresh(refreshToken, other)).toMatchObject({
        status: 503,
        type: '/problems/unavailable',
        retryAfter: '2',
      })
      expect((await refresh(refreshToken)).token).toBe(first.token)
      // A current token needs no earlier key.
      expect((await refresh(first.token, other)).status).toBe(200)
    } finally {
      await other.close()
    }
  })

  it('are reloaded without a restart; invalid content leaves the previous keys in use', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    const first = await refresh(refreshToken)
    writeFileSync(file, 'short')
    await expect.poll(metrics, { timeout: 10_000 }).toContain('refresh_keys_unreadable 1')
    expect((await refresh(refreshToken)).token).toBe(first.token)
    writeFileSync(file, `${NEW}\n${OLD}\n`)
    let token = first.token
    await expect
      .poll(
        async () => {
          const next = await refresh(token)
          const isNew = await isDerivedBy(NEW, sid, token, next.token)
          token = next.token
          return isNew
        },
        { timeout: 10_000, interval: 500 },
      )
      .toBe(true)
    expect((await refresh(refreshToken)).token).toBe(first.token)
    expect(await metrics()).toContain('refresh_keys_unreadable 0')
  })
})

describe('a rotation that a lost connection delivers late', () => {
  const run: Run = async ({ text }, values) => auth.sql(text, ...values)

  it.each([
    ['in the grace period', 30, 'repeated'],
    ['after the grace period', 3_600, 'reused'],
  ])('%s of its token changes nothing', async (_, seconds, use) => {
    const { refreshToken, sid } = await newSession(auth.client)
    const { token: successor } = await refresh(refreshToken)
    await ageRefreshes(auth, sid, seconds)
    const row = () => auth.sql('SELECT * FROM sessions WHERE id = $1', sid)
    const before = await row()
    const { hashes } = parsed(refreshToken)
    const late = await rotate(run, {
      presented: hashes,
      candidate: { hash: Buffer.alloc(32), salt: Buffer.alloc(32) },
      ageMs: 0,
      graceMs: 60_000,
      lifetimeSeconds: 3_600,
      origin: { address: null, userAgent: null },
    })
    expect(late?.use).toBe(use)
    expect(await row()).toEqual(before)
    expect((await refresh(successor)).status).toBe(200)
  })

  it('judges the grace period at the arrival of the request', async () => {
    const { refreshToken, sid } = await newSession(auth.client)
    await refresh(refreshToken)
    await ageRefreshes(auth, sid, 65)
    const waited = await rotate(run, {
      presented: parsed(refreshToken).hashes,
      candidate: { hash: Buffer.alloc(32), salt: Buffer.alloc(32) },
      ageMs: 10_000,
      graceMs: 60_000,
      lifetimeSeconds: 3_600,
      origin: { address: null, userAgent: null },
    })
    expect(waited?.use).toBe('repeated')
  })
})
