import { startRedis } from '@malipo/local/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { keysOf, newMerchant, type NewKey, problemOf } from './api-keys.js'
import { type Auth, isValid, newOperator, newUser, openSession, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const HOUR_MS = 3_600_000
const valid = (...keys: NewKey[]) => Promise.all(keys.map(({ key }) => isValid(auth.client, key)))

/** The cause of the revocation of each key, newest first; null if it is usable. */
async function causes(merchant: Awaited<ReturnType<typeof newMerchant>>) {
  const { data } = (await merchant.list()).body as {
    data: { id: string; revocationCause: string | null }[]
  }
  return new Map(data.map(({ id, revocationCause }) => [id, revocationCause]))
}

const eventsOf = (userId: string, kind: string) =>
  auth.sql<{ actor: string | null; detail: object }>(
    `SELECT actor_id AS actor, detail FROM audit_events
     WHERE user_id = $1 AND kind = $2 ORDER BY id`,
    userId,
    kind,
  )

describe('POST /api/auth/keys/{id}/rotate', () => {
  it('creates a key like the old one, which stays valid for a day', async () => {
    const merchant = await newMerchant(auth)
    const scopes = ['payments:read', 'payments:write']
    const old = await merchant.newKey({ name: 'desk', scopes })
    const next = await merchant.rotated(old.id)
    expect(next).toMatchObject({ name: 'desk', scopes, replaces: old.id, expiresAt: null })
    expect(await valid(old, next)).toEqual([true, true])
    const { data } = (await merchant.list()).body as { data: Record<string, string>[] }
    const listed = data.find(({ id }) => id === old.id)
    const leftMs = Date.parse(listed?.expiresAt ?? '') - Date.parse(listed?.rotatedAt ?? '')
    expect(leftMs).toBe(24 * HOUR_MS)
    const { body } = await auth.client.get('/api/auth/validate', { token: old.key })
    expect(body.payload.exp).toBe(Math.floor(Date.parse(listed?.expiresAt ?? '') / 1000))
    expect(await eventsOf(merchant.sub, 'key_rotation')).toEqual([
      {
        actor: merchant.sub,
        detail: { key: next.id, replaces: old.id, overlapSeconds: 86_400 },
      },
    ])
  })

  it.each([
    ['over 7 days', 604_801],
    ['negative', -1],
    ['with a fraction', 1.5],
    ['a string', '60'],
  ])('rejects an overlap that is %s', async (_, overlapSeconds) => {
    const merchant = await newMerchant(auth)
    const old = await merchant.newKey()
    const answer = await merchant.rotate(old.id, { overlapSeconds })
    expect(answer.body.errors).toMatchObject([{ field: 'overlapSeconds' }])
    expect((await merchant.rotate(old.id, { overlapSeconds: 604_800 })).status).toBe(201)
  })

  it('without an overlap revokes the old key at once, in Redis too', async () => {
    const merchant = await newMerchant(auth)
    const old = await merchant.newKey()
    const next = await merchant.rotated(old.id, { overlapSeconds: 0 })
    expect(await valid(old, next)).toEqual([false, true])
    const redis = new Redis(inject('redisUrl'))
    expect(await redis.get(`session:${old.id}`)).toMatch(/^revoked:/)
    redis.disconnect()
    expect(await eventsOf(merchant.sub, 'key_revocation')).toEqual([
      { actor: merchant.sub, detail: { key: old.id, cause: 'rotated' } },
    ])
  })

  it('never extends the life of the old key', async () => {
    const merchant = await newMerchant(auth)
    const expiresAt = new Date(Date.now() + HOUR_MS).toISOString()
    const old = await merchant.newKey({ expiresAt })
    const next = await merchant.rotated(old.id)
    // The new key has the lifetime of the old one.
    const lifetimeMs = Date.parse(next.expiresAt ?? '') - Date.parse(next.createdAt)
    expect(Math.abs(lifetimeMs - HOUR_MS)).toBeLessThan(3_000)
    const { data } = (await merchant.list()).body as { data: Record<string, string>[] }
    expect(data.find(({ id }) => id === old.id)?.expiresAt).toBe(expiresAt)
  })

  it('during an overlap replaces the newest and leaves the oldest its time', async () => {
    const merchant = await newMerchant(auth)
    const oldest = await merchant.newKey()
    // The response with this key is lost, so the client rotates the key that it has again.
    const lost = await merchant.rotated(oldest.id, { overlapSeconds: 3_600 })
    const next = await merchant.rotated(oldest.id, { overlapSeconds: 60 })
    expect(next.replaces).toBe(oldest.id)
    expect(await valid(oldest, lost, next)).toEqual([true, false, true])
    const { data } = (await merchant.list()).body as { data: Record<string, string>[] }
    const listed = data.find(({ id }) => id === oldest.id)
    const leftMs = Date.parse(listed?.expiresAt ?? '') - Date.parse(listed?.rotatedAt ?? '')
    expect(leftMs).toBe(HOUR_MS)
    // A rotation of the newest has the same effect.
    const last = await merchant.rotated(next.id, { overlapSeconds: 0 })
    expect(last.replaces).toBe(oldest.id)
    expect(await valid(oldest, next, last)).toEqual([true, false, true])
    expect(problemOf(await merchant.rotate(lost.id))).toBe('409 key-ended')
  })

  it('after an overlap begins another one', async () => {
    const merchant = await newMerchant(auth)
    const first = await merchant.newKey()
    const second = await merchant.rotated(first.id, { overlapSeconds: 1 })
    await expect.poll(() => isValid(auth.client, first.key), { timeout: 5_000 }).toBe(false)
    const third = await merchant.rotated(second.id)
    expect(third.replaces).toBe(second.id)
    expect(await valid(second, third)).toEqual([true, true])
  })

  it('of one key at once leaves the old key and one new key', async () => {
    for (const overlapSeconds of [0, 60]) {
      const merchant = await newMerchant(auth)
      const old = await merchant.newKey()
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => merchant.rotate(old.id, { overlapSeconds })),
      )
      const created = answers.flatMap(({ status, body }) =>
        status === 201 ? [body as NewKey] : [],
      )
      // Without an overlap, the first rotation ends the key that the others would rotate.
      expect(created).toHaveLength(overlapSeconds === 0 ? 1 : 6)
      expect((await valid(...created)).filter(Boolean)).toHaveLength(1)
      expect(await valid(old)).toEqual([overlapSeconds > 0])
      const usable = [...(await causes(merchant)).values()].filter((cause) => cause === null)
      expect(usable).toHaveLength(overlapSeconds === 0 ? 1 : 2)
    }
  })

  it('and a revocation of the same key at once leave no key that its client does not have', async () => {
    for (let round = 0; round < 5; round++) {
      const merchant = await newMerchant(auth)
      const old = await merchant.newKey()
      const [rotated, revoked] = await Promise.all([
        merchant.rotate(old.id),
        merchant.revoke(old.id),
      ])
      expect(revoked.status).toBe(204)
      expect(await valid(old)).toEqual([false])
      const usable = [...(await causes(merchant))].filter(([, cause]) => cause === null)
      const isRotated = rotated.status === 201
      expect(usable).toEqual(isRotated ? [[rotated.body.id, null]] : [])
      expect(isRotated ? 'rotated' : problemOf(rotated)).toMatch(/^rotated$|^409 key-ended$/)
    }
  })

  it('answers with the secret also while Redis is unavailable', async () => {
    const redis = await startRedis()
    if (!redis) throw new Error('no redis-server on the PATH')
    // A separate database: the relay of another service would publish the revocations.
    const other = await startAuth({ REDIS_URL: redis.url })
    try {
      const merchant = await newMerchant(other)
      const old = await merchant.newKey()
      await redis.kill()
      const answer = await merchant.rotate(old.id, { overlapSeconds: 0 })
      expect(answer.status).toBe(201)
      const revoked = await merchant.revoke(answer.body.id as string)
      expect(problemOf(revoked)).toBe('503 revocation-pending')
      for (const { key } of [old, answer.body as NewKey]) {
        expect(await isValid(other.client, key)).toBe(false)
      }
      const pending = () => other.sql('SELECT FROM revocation_outbox WHERE session_id = $1', old.id)
      expect(await pending()).toHaveLength(1)
      await redis.restart()
      await expect.poll(pending, { timeout: 15_000 }).toEqual([])
    } finally {
      await other.close()
      await redis.stop()
    }
  })
})

describe('a removed scope', () => {
  const put = (token: string, id: string, scopes: string[]) =>
    auth.client.send('PUT', `/api/auth/users/${id}/scopes`, { token, body: { scopes } })

  it('revokes the keys that have it, by a request and by SQL', async () => {
    const { token } = await newOperator(auth, 'auth:admin')
    const merchant = await newMerchant(auth)
    const reader = await merchant.newKey()
    const writer = await merchant.newKey({ scopes: ['payments:read', 'payments:write'] })
    const settler = await merchant.newKey({ scopes: ['payments:settle'] })
    expect((await put(token, merchant.sub, ['payments:read', 'payments:write'])).status).toBe(200)
    expect(await valid(reader, writer, settler)).toEqual([true, true, false])
    const redis = new Redis(inject('redisUrl'))
    expect(await redis.get(`session:${settler.id}`)).toMatch(/^revoked:/)
    await auth.sql(`UPDATE users SET scopes = '{payments:read}' WHERE id = $1`, merchant.sub)
    expect(await valid(reader, writer)).toEqual([true, false])
    // The relay publishes what was changed directly in the database.
    const mark = () => redis.get(`session:${writer.id}`)
    await expect.poll(mark, { timeout: 10_000 }).toMatch(/^revoked:/)
    redis.disconnect()
    expect(await eventsOf(merchant.sub, 'key_revocation')).toMatchObject([
      { detail: { key: settler.id, cause: 'scopes' } },
      { detail: { key: writer.id, cause: 'scopes' } },
    ])
  })

  it('at the same time as a new key leaves no key with it', async () => {
    const { token } = await newOperator(auth, 'auth:admin')
    for (let round = 0; round < 5; round++) {
      const merchant = await newMerchant(auth)
      const scopes = ['payments:read', 'payments:write']
      const [answer, ...created] = await Promise.all([
        put(token, merchant.sub, ['payments:read']),
        ...Array.from({ length: 4 }, () => merchant.create({ scopes })),
      ])
      expect(answer.status).toBe(200)
      const keys = created.flatMap(({ status, body }) => (status === 201 ? [body as NewKey] : []))
      expect((await valid(...keys)).filter(Boolean)).toEqual([])
      for (const { status } of created) expect([201, 401, 403]).toContain(status)
    }
  })
})

describe('POST /api/auth/merchants/{id}/close', () => {
  const close = (token: string | undefined, id: string) =>
    auth.client.send('POST', `/api/auth/merchants/${id}/close`, token ? { token } : {})

  it('revokes the keys, scopes and sessions of the merchant', async () => {
    const operator = await newOperator(auth, 'auth:admin')
    const merchant = await newMerchant(auth)
    const key = await merchant.newKey()
    expect((await close(operator.token, merchant.sub)).status).toBe(204)
    expect((await close(operator.token, merchant.sub)).status).toBe(204)
    expect(await valid(key)).toEqual([false])
    expect(await isValid(auth.client, merchant.token)).toBe(false)
    const redis = new Redis(inject('redisUrl'))
    expect(await redis.exists(`session:${key.id}`, `session:${merchant.sid}`)).toBe(2)
    redis.disconnect()
    expect(await eventsOf(merchant.sub, 'merchant_closure')).toMatchObject([
      { actor: operator.sub },
    ])
    expect(await eventsOf(merchant.sub, 'key_revocation')).toMatchObject([
      { actor: operator.sub, detail: { key: key.id, cause: 'merchant_closed' } },
    ])
    const later = await openSession(auth.client, merchant.user)
    expect(later.scope).toBe('')
    expect(problemOf(await keysOf(auth, later.token).create())).toBe('403 insufficient-scope')
  })

  it('is final for operators: a closed merchant gets no scopes', async () => {
    const operator = await newOperator(auth, 'auth:admin')
    const merchant = await newMerchant(auth)
    await close(operator.token, merchant.sub)
    const path = `/api/auth/users/${merchant.sub}/scopes`
    const put = (...scopes: string[]) =>
      auth.client.send('PUT', path, { token: operator.token, body: { scopes } })
    expect(problemOf(await put('payments:read'))).toBe('409 merchant-closed')
    expect((await put()).status).toBe(200)
  })

  it('at the same time as a new key leaves no valid key', async () => {
    const operator = await newOperator(auth, 'auth:admin')
    for (let round = 0; round < 5; round++) {
      const merchant = await newMerchant(auth)
      const [closed, ...created] = await Promise.all([
        close(operator.token, merchant.sub),
        ...Array.from({ length: 4 }, () => merchant.create()),
      ])
      expect(closed.status).toBe(204)
      const keys = created.flatMap(({ status, body }) => (status === 201 ? [body as NewKey] : []))
      expect((await valid(...keys)).filter(Boolean)).toEqual([])
    }
  })

  it('is for operators, and not for their own merchant', async () => {
    const operator = await newOperator(auth, 'auth:admin')
    const merchant = await newMerchant(auth)
    expect(problemOf(await close(undefined, merchant.sub))).toBe('401 unauthenticated')
    expect(problemOf(await close(merchant.token, merchant.sub))).toBe('403 insufficient-scope')
    expect(problemOf(await close(operator.token, operator.sub.toUpperCase()))).toBe(
      '403 own-scopes',
    )
    for (const id of ['1', '00000000-0000-7000-8000-000000000000']) {
      expect(problemOf(await close(operator.token, id))).toBe('404 merchant-not-found')
    }
  })

  it('by SQL has the same effect', async () => {
    const user = await newUser(auth.client)
    const { token } = await openSession(auth.client, user)
    const key = await keysOf(auth, token).newKey()
    await auth.sql('UPDATE merchants SET closed_at = now() WHERE id = $1', user.id)
    expect(await valid(key)).toEqual([false])
    expect(await isValid(auth.client, token)).toBe(false)
    expect((await openSession(auth.client, user)).scope).toBe('')
  })
})
