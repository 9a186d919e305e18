import { newApiKey } from '@malipo/kit/http/api-key'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { keyEventsOf, newMerchant, problemOf } from './api-keys.js'
import { type Auth, isValid, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const DAY_MS = 86_400_000
const validate = (token: string, at = auth) => at.client.get('/api/auth/validate', { token })
const eventsOf = (userId: string) => keyEventsOf(auth, userId)

describe('a key', () => {
  it('is no access token: auth’s own routes refuse it', async () => {
    const { key } = await (await newMerchant(auth)).newKey()
    for (const path of [
      '/api/auth/me',
      '/api/auth/keys',
      '/api/auth/sessions',
      '/api/auth/audit',
    ]) {
      const answer = await auth.client.get(path, { token: key })
      expect(problemOf(answer)).toBe('401 unauthenticated')
      expect(answer.body.detail).toContain('API keys')
    }
  })

  it('of another mode is 401 wrong-mode', async () => {
    const answer = await validate(newApiKey('live'))
    expect(problemOf(answer)).toBe('401 wrong-mode')
  })

  it.each([
    ['an unknown one', newApiKey('sandbox')],
    ['one with a wrong checksum', `mlp_test_${'0'.repeat(36)}`],
    ['a part of one', newApiKey('sandbox').slice(0, -1)],
  ])('is not valid: %s', async (_, key) => {
    expect((await validate(key)).body).toEqual({ valid: false })
  })

  it('has the scopes of its merchant now, whatever it was created with', async () => {
    const merchant = await newMerchant(auth)
    const { key } = await merchant.newKey({ scopes: ['payments:read', 'payments:settle'] })
    // Without the trigger that revokes the key, as by a change of the mode's defaults.
    await auth.sql('ALTER TABLE users DISABLE TRIGGER users_removed_scope_revokes_keys')
    await auth.sql(`UPDATE users SET scopes = '{payments:read}' WHERE id = $1`, merchant.sub)
    await auth.sql('ALTER TABLE users ENABLE TRIGGER users_removed_scope_revokes_keys')
    expect((await validate(key)).body.payload.scope).toBe('payments:read')
  })

  it('is used to the minute', async () => {
    const merchant = await newMerchant(auth)
    const replica = await startAuth({ DATABASE_URL: auth.databaseUrl })
    const { key } = await merchant.newKey()
    await validate(key, replica)
    const before = Date.now()
    // A replica writes the last uses when it stops.
    await replica.close()
    const [listed] = (await merchant.list()).body.data as { lastUsedAt: string }[]
    expect(listed?.lastUsedAt).toMatch(/:00\.000Z$/)
    expect(Math.abs(Date.parse(listed?.lastUsedAt ?? '') - before)).toBeLessThan(130_000)
  })

  it('expires: rejected at once, and revoked in Redis within moments', async () => {
    const merchant = await newMerchant(auth)
    const expiresAt = new Date(Date.now() + 1_500).toISOString()
    const { key, id } = await merchant.newKey({ expiresAt })
    expect((await validate(key)).body.payload.exp).toBe(Math.floor(Date.parse(expiresAt) / 1000))
    await expect.poll(() => isValid(auth.client, key), { timeout: 5_000 }).toBe(false)
    const redis = new Redis(inject('redisUrl'))
    const mark = () => redis.get(`session:${id}`)
    await expect.poll(mark, { timeout: 5_000 }).toMatch(/^revoked:/)
    redis.disconnect()
    expect((await eventsOf(merchant.sub)).map(({ detail }) => detail)).toContainEqual({
      key: id,
      cause: 'expired',
    })
    expect(problemOf(await merchant.rotate(id))).toBe('409 key-ended')
  })

  it('is in the audit trail once an hour if it is used after its end', async () => {
    const merchant = await newMerchant(auth)
    const { key, id } = await merchant.newKey()
    await merchant.revoke(id)
    for (let i = 0; i < 3; i++) expect((await validate(key)).body).toEqual({ valid: false })
    const refusals = async () =>
      (await eventsOf(merchant.sub)).filter(({ kind }) => kind === 'key_refusal')
    await expect
      .poll(refusals, { timeout: 5_000 })
      .toEqual([{ kind: 'key_refusal', actor: null, detail: { key: id, cause: 'revoked' } }])
  })
})

describe('DELETE /api/auth/keys/{id}', () => {
  it('revokes a key in the database and in Redis before it answers, and is idempotent', async () => {
    const merchant = await newMerchant(auth)
    const { key, id } = await merchant.newKey()
    expect((await merchant.revoke(id)).status).toBe(204)
    const redis = new Redis(inject('redisUrl'))
    expect(await redis.get(`session:${id}`)).toMatch(/^revoked:\d+$/)
    redis.disconnect()
    expect((await validate(key)).body).toEqual({ valid: false })
    expect((await merchant.revoke(id.toUpperCase())).status).toBe(204)
    expect((await eventsOf(merchant.sub)).slice(0, 2)).toMatchObject([
      { kind: 'key_creation' },
      { kind: 'key_revocation', actor: merchant.sub, detail: { key: id, cause: 'revoked' } },
    ])
    const [listed] = (await merchant.list()).body.data as { revocationCause: string }[]
    expect(listed?.revocationCause).toBe('revoked')
    await expect(
      auth.sql('UPDATE api_keys SET revoked_at = NULL WHERE id = $1', id),
    ).rejects.toMatchObject({ constraint: 'api_keys_revocation_is_final' })
  })

  it.each(['00000000-0000-7000-8000-000000000000', '1', `' OR 1 = 1 --`])(
    'knows no key %j',
    async (id) => {
      const merchant = await newMerchant(auth)
      const path = encodeURIComponent(id)
      expect(problemOf(await merchant.revoke(path))).toBe('404 key-not-found')
      expect(problemOf(await merchant.rotate(path))).toBe('404 key-not-found')
    },
  )

  it('knows no key of another merchant', async () => {
    const [owner, other] = [await newMerchant(auth), await newMerchant(auth)]
    const { key, id } = await owner.newKey()
    expect(problemOf(await other.revoke(id))).toBe('404 key-not-found')
    expect(problemOf(await other.rotate(id))).toBe('404 key-not-found')
    expect((await other.list()).body.data).toEqual([])
    expect(await isValid(auth.client, key)).toBe(true)
  })
})

describe('in live mode', () => {
  it('keys expire within 365 days, are of that mode, and never settle', async () => {
    const live = await startAuth({
      DATABASE_URL: auth.databaseUrl,
      MODE: 'live',
      BCRYPT_COST: '10',
      REGISTRATIONS_PER_MINUTE: '10000',
    })
    try {
      const merchant = await newMerchant(live)
      const created = await merchant.newKey()
      expect(created.key).toMatch(/^mlp_live_/)
      const days = (Date.parse(created.expiresAt ?? '') - Date.parse(created.createdAt)) / DAY_MS
      expect(Math.round(days * 100) / 100).toBe(365)
      const late = new Date(Date.now() + 366 * DAY_MS).toISOString()
      const answer = await merchant.create({ expiresAt: late })
      expect(answer.body.errors).toMatchObject([{ field: 'expiresAt' }])
      const settle = await merchant.create({ scopes: ['payments:settle'] })
      expect(settle.status).toBe(400)
      expect(settle.body.errors[0].message).not.toContain('settle')
      expect(problemOf(await merchant.create({ scopes: ['payments:write'] }))).toBe(
        '403 insufficient-scope',
      )
      expect(problemOf(await validate(created.key))).toBe('401 wrong-mode')
      expect((await validate(created.key, live)).body.valid).toBe(true)
      expect(problemOf(await validate(newApiKey('sandbox'), live))).toBe('401 wrong-mode')
    } finally {
      await live.close()
    }
  })
})
