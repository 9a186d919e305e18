import { hash } from 'node:crypto'
import { newApiKey } from '@malipo/kit/http/api-key'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ageLogin, keyEventsOf, keysOf, newMerchant, problemOf } from './api-keys.js'
import { type Auth, newOperator, openSession, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const validate = (token: string) => auth.client.get('/api/auth/validate', { token })

const eventsOf = (userId: string) => keyEventsOf(auth, userId)

describe('POST /api/auth/keys', () => {
  it('returns a secret once, and stores its hash', async () => {
    const merchant = await newMerchant(auth)
    const { status, body, headers } = await merchant.create({ name: '  shop server ' })
    expect(status).toBe(201)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      key: expect.stringMatching(/^mlp_test_[0-9A-Za-z]{36}$/),
      name: 'shop server',
      hint: `${(body.key as string).slice(0, 13)}…${(body.key as string).slice(-4)}`,
      scopes: ['payments:read'],
      replaces: null,
      createdBy: merchant.sub,
      createdAt: expect.any(String),
      expiresAt: null,
      rotatedAt: null,
      lastUsedAt: null,
      revokedAt: null,
      revocationCause: null,
    })
    const stored = await auth.sql(
      `SELECT encode(hash, 'hex') AS hash, to_jsonb(api_keys)::text LIKE '%' || $2 || '%' AS has_key
       FROM api_keys WHERE id = $1`,
      body.id,
      body.key,
    )
    expect(stored).toEqual([{ hash: hash('sha256', body.key as string, 'hex'), has_key: false }])
    const listed = await merchant.list()
    const { key: _, ...shown } = body as Record<string, unknown>
    expect(listed.body).toEqual({ data: [shown] })
  })

  it('creates a key that /validate takes as it takes tokens', async () => {
    const merchant = await newMerchant(auth)
    const scopes = ['payments:write', 'payments:read', 'payments:read']
    const { key, id } = await merchant.newKey({ scopes })
    expect((await validate(key)).body).toEqual({
      valid: true,
      payload: {
        kind: 'key',
        sub: merchant.sub,
        merchant: merchant.sub,
        sid: id,
        scope: 'payments:read payments:write',
        exp: null,
      },
    })
  })

  it('is in the audit trail, which never has the secret', async () => {
    const merchant = await newMerchant(auth)
    const { id, key } = await merchant.newKey()
    const detail = { key: id, name: 'shop server', scopes: ['payments:read'] }
    expect(await eventsOf(merchant.sub)).toEqual([
      { kind: 'key_creation', actor: merchant.sub, detail },
    ])
    expect(JSON.stringify(await eventsOf(merchant.sub))).not.toContain(key)
  })

  it.each<[string, object, string]>([
    ['no name', { name: undefined }, 'name'],
    ['a blank name', { name: '  ' }, 'name'],
    ['a long name', { name: 'x'.repeat(101) }, 'name'],
    ['no scopes', { scopes: [] }, 'scopes'],
    ['an unknown scope', { scopes: ['payments:everything'] }, 'scopes'],
    ['a scope of operators', { scopes: ['payments:admin'] }, 'scopes'],
    ['a scope of auth', { scopes: ['auth:admin'] }, 'scopes'],
    ['a list of other things', { scopes: [1, null] }, 'scopes'],
    ['no list', { scopes: 'payments:read' }, 'scopes'],
    ['an expiry in the past', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['no time', { expiresAt: 'tomorrow' }, 'expiresAt'],
    ['an unknown field', { key: newApiKey('sandbox') }, 'key'],
  ])('rejects %s', async (_, own, field) => {
    const merchant = await newMerchant(auth)
    const answer = await merchant.create(own)
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toMatchObject([{ field }])
    expect((await merchant.list()).body.data).toEqual([])
  })

  it('gives no scope that its creator lacks, also an operator none of theirs', async () => {
    const { token, sub } = await newOperator(auth, 'payments:read', 'payments:admin', 'auth:admin')
    const operator = keysOf(auth, token)
    const answer = await operator.create({ scopes: ['payments:read', 'payments:write'] })
    expect(problemOf(answer)).toBe('403 insufficient-scope')
    for (const scope of ['payments:admin', 'auth:admin']) {
      expect((await operator.create({ scopes: [scope] })).status).toBe(400)
    }
    expect((await operator.create()).status).toBe(201)
    await expect(
      auth.sql(`UPDATE api_keys SET scopes = '{auth:admin}' WHERE merchant_id = $1`, sub),
    ).rejects.toMatchObject({ constraint: 'api_keys_have_no_operator_scope' })
  })

  it('refuses Idempotency-Key, after the token', async () => {
    const merchant = await newMerchant(auth)
    const headers = { 'idempotency-key': 'once' }
    for (const answer of [
      await merchant.create({}, headers),
      await merchant.rotate((await merchant.newKey()).id, {}, headers),
    ]) {
      expect(answer.status).toBe(400)
      expect(answer.body.errors).toMatchObject([{ field: 'Idempotency-Key' }])
    }
    const anonymous = await auth.client.send('POST', '/api/auth/keys', { body: {}, headers })
    expect(anonymous.status).toBe(401)
  })

  it('allows 20 usable keys of a merchant, however many requests run at once', async () => {
    const merchant = await newMerchant(auth)
    const answers = await Promise.all(Array.from({ length: 24 }, () => merchant.create()))
    const counts = Object.groupBy(answers.map(problemOf), (problem) => problem)
    expect(counts['409 too-many-keys']).toHaveLength(4)
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20)
    const id = answers.find(({ status }) => status === 201)?.body.id as string
    expect((await merchant.rotate(id)).status).toBe(201)
    expect((await merchant.revoke(id)).status).toBe(204)
    expect(problemOf(await merchant.create())).toBe('409 too-many-keys')
    const other = (await merchant.list()).body.data as { id: string; rotatedAt: null }[]
    expect((await merchant.revoke(other[0]?.id as string)).status).toBe(204)
    expect((await merchant.create()).status).toBe(201)
  })
})

describe('a stolen access token', () => {
  it('creates and rotates no key 5 minutes after the login, without the password', async () => {
    const merchant = await newMerchant(auth)
    const { id } = await merchant.newKey()
    await ageLogin(auth, merchant.sid, 299)
    expect((await merchant.create()).status).toBe(201)
    await ageLogin(auth, merchant.sid, 2)
    for (const answer of [await merchant.create(), await merchant.rotate(id)]) {
      expect(problemOf(answer)).toBe('401 login-too-old')
      expect(answer.headers.get('www-authenticate')).toBe(
        'Bearer error="insufficient_user_authentication", max_age=300',
      )
    }
    const currentPassword = merchant.user.password
    expect((await merchant.create({ currentPassword })).status).toBe(201)
    expect((await merchant.rotate(id, { currentPassword })).status).toBe(201)
    expect((await merchant.list()).status).toBe(200)
    expect((await merchant.revoke(id)).status).toBe(204)
  })

  it('is not helped by a refresh, which is no login', async () => {
    const merchant = await newMerchant(auth)
    await ageLogin(auth, merchant.sid, 301)
    const refresh = { refresh_token: merchant.refreshToken }
    const { body } = await auth.client.post('/api/auth/refresh', refresh)
    const answer = await keysOf(auth, body.access_token as string).create()
    expect(problemOf(answer)).toBe('401 login-too-old')
    const session = await openSession(auth.client, merchant.user)
    expect((await keysOf(auth, session.token).create()).status).toBe(201)
  })

  it('guesses the password within the limits of logins', async () => {
    const merchant = await newMerchant(auth)
    const guess = () => merchant.create({ currentPassword: 'a wrong password' })
    expect(problemOf(await guess())).toBe('401 wrong-credentials')
    const answers = []
    for (let i = 0; i < 12; i++) answers.push(problemOf(await guess()))
    expect(answers.at(-1)).toBe('429 too-many-attempts')
    expect((await merchant.list()).body.data).toEqual([])
  })

  it('creates no key while its session is revoked', async () => {
    for (let round = 0; round < 5; round++) {
      const merchant = await newMerchant(auth)
      const [created] = await Promise.all([
        merchant.create(),
        auth.client.send('POST', '/api/auth/logout', { token: merchant.token }),
      ])
      const keys = await auth.sql<{ is_before: boolean }>(
        `SELECT api_keys.created_at <= sessions.revoked_at AS is_before
         FROM api_keys JOIN sessions ON user_id = merchant_id WHERE merchant_id = $1`,
        merchant.sub,
      )
      expect([201, 401]).toContain(created.status)
      expect(keys).toEqual(created.status === 201 ? [{ is_before: true }] : [])
    }
  })
})
