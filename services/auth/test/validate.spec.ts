import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { JwtService, type JwtSignOptions } from '@nestjs/jwt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, login, newUser, type Person, SECRET, startAuth } from './auth.js'

const jwt = new JwtService()

let auth: Auth
let user: Person & { id: string }
let token: string
let claims: Record<string, unknown>

beforeAll(async () => {
  auth = await startAuth()
  user = await newUser(auth.client)
  token = (await login(auth.client, user)).access_token
  claims = payloadOf(token)
})
afterAll(() => auth.close())

const payloadOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The valid claims with `changes`, signed with the service's secret. */
function forged(changes: Record<string, unknown>, options: JwtSignOptions = {}) {
  const payload = Object.fromEntries(
    Object.entries({ ...claims, ...changes }).filter(([, value]) => value !== undefined),
  )
  return jwt.sign(payload, { secret: SECRET, algorithm: 'HS256', ...options })
}

/** Sign options with members of the JWT header. */
const withHeader = (header: object): JwtSignOptions => ({ header: { alg: 'HS256', ...header } })

describe('GET /api/auth/validate', () => {
  it('returns the claims of a valid token with its holder’s phone and email', async () => {
    const { status, body, headers } = await auth.client.get('/api/auth/validate', { token })
    expect(status).toBe(200)
    expect(body).toEqual({
      valid: true,
      payload: {
        kind: 'token',
        sub: user.id,
        merchant: user.id,
        phone: user.phone,
        email: user.email,
        scope: 'payments:read payments:write payments:settle webhooks:write',
        sid: expect.any(String),
        jti: expect.any(String),
        iss: 'malipo-auth',
        aud: 'malipo',
        iat: expect.any(Number),
        exp: body.payload.iat + 900,
      },
    })
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('accepts the scheme in any case', async () => {
    const headers = { authorization: `bearer ${token}` }
    const { body } = await auth.client.get('/api/auth/validate', { headers })
    expect(body.valid).toBe(true)
  })

  it.each([
    ['no header', {}],
    ['another scheme', { authorization: 'Basic YW1pbmE6c2VjcmV0' }],
    ['the scheme alone', { authorization: 'Bearer' }],
    ['an empty token', { authorization: 'Bearer ' }],
    ['two tokens', { authorization: 'Bearer one two' }],
    ['a token without a scheme', { authorization: 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln' }],
  ])('answers 401 to %s', async (_, headers) => {
    for (const path of ['/api/auth/validate', '/api/auth/me']) {
      const answer = await auth.client.get(path, { headers })
      expect(answer.status).toBe(401)
      expect(answer.body.type).toBe('/problems/unauthenticated')
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
  })
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string
const HOUR = 3600

describe('an invalid token', () => {
  it.each<[string, () => string]>([
    ['is no JWT', () => 'nonsense'],
    ['has algorithm none', () => `${encoded({ alg: 'none', typ: 'JWT' })}.${encoded(claims)}.`],
    [
      'has algorithm none and a signature',
      () => `${encoded({ alg: 'none' })}.${encoded(claims)}.${token.split('.')[2]}`,
    ],
    ['has algorithm NonE', () => `${encoded({ alg: 'NonE' })}.${encoded(claims)}.`],
    ['is signed with a guessed secret', () => forged({}, { secret: 'secret' })],
    ['is signed with an empty secret', () => forged({}, { secret: '\0' })],
    ['is signed by HS384', () => forged({}, { algorithm: 'HS384' })],
    ['is signed by HS512', () => forged({}, { algorithm: 'HS512' })],
    ['is signed by RS256', () => jwt.sign(claims, { privateKey: privatePem, algorithm: 'RS256' })],
    ['is signed by HS256 with a public key', () => forged({}, { secret: publicPem })],
    [
      'was changed',
      () => {
        const [head, , signature] = token.split('.')
        return `${head}.${encoded({ ...claims, scope: 'auth:admin' })}.${signature}`
      },
    ],
    ['has no signature', () => token.split('.').slice(0, 2).join('.') + '.'],
    ['has a critical extension', () => forged({}, withHeader({ crit: ['exp'] }))],
    ['has an empty list of critical extensions', () => forged({}, withHeader({ crit: [] }))],
    ['is a logout token', () => forged({}, withHeader({ typ: 'logout+jwt' }))],
    ['has a type that is no string', () => forged({}, withHeader({ typ: null }))],
    ['has expired', () => forged({ iat: Number(claims.iat) - HOUR, exp: Number(claims.iat) - 1 })],
    ['has no expiry', () => forged({ exp: undefined })],
    ['is not valid yet', () => forged({ nbf: Number(claims.iat) + HOUR })],
    ['is of another issuer', () => forged({ iss: 'someone-else' })],
    ['is for another audience', () => forged({ aud: 'someone-else' })],
    ['has no session', () => forged({ sid: undefined })],
    ['has a session that is no UUID', () => forged({ sid: `' OR 1 = 1 --` })],
    ['has an unknown session', () => forged({ sid: randomUUID() })],
    ['has an unknown user', () => forged({ sub: randomUUID() })],
    ['has a scope that is a list', () => forged({ scope: ['auth:admin'] })],
  ])('because it %s', async (_, make) => {
    const bad = make()
    const validation = await auth.client.get('/api/auth/validate', { token: bad })
    expect(validation.status).toBe(200)
    expect(validation.body).toEqual({ valid: false })
    const me = await auth.client.get('/api/auth/me', { token: bad })
    expect(me.status).toBe(401)
    expect(me.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  })

  it.each([
    ['is revoked', 'revoked_at = now()'],
    ['has expired', `created_at = now() - interval '2 s', expires_at = now() - interval '1 s'`],
  ])('because its session %s', async (_, change) => {
    const other = await newUser(auth.client)
    const { access_token: first } = await login(auth.client, other)
    const { access_token: second } = await login(auth.client, other)
    await auth.sql(`UPDATE sessions SET ${change} WHERE id = $1`, payloadOf(first).sid)
    const ended = await auth.client.get('/api/auth/validate', { token: first })
    expect(ended.body).toEqual({ valid: false })
    const living = await auth.client.get('/api/auth/validate', { token: second })
    expect(living.body.valid).toBe(true)
  })

  it('because its session is another user’s', async () => {
    const other = await newUser(auth.client)
    const { body } = await auth.client.get('/api/auth/validate', {
      token: forged({ sub: other.id }),
    })
    expect(body).toEqual({ valid: false })
  })

  it('unlike one that was signed the same way without changes', async () => {
    for (const typ of ['JWT', 'at+jwt', undefined]) {
      const same = forged({}, withHeader({ typ }))
      const { body } = await auth.client.get('/api/auth/validate', { token: same })
      expect(body.valid).toBe(true)
    }
  })

  it('after JWT_EXPIRES_IN', async () => {
    const brief = await startAuth({ DATABASE_URL: auth.databaseUrl, JWT_EXPIRES_IN: '1' })
    try {
      const { access_token: soonOver, expires_in: seconds } = await login(brief.client, user)
      expect(seconds).toBe(1)
      const valid = async () =>
        (await brief.client.get('/api/auth/validate', { token: soonOver })).body.valid as boolean
      await expect.poll(valid, { timeout: 3_000 }).toBe(false)
    } finally {
      await brief.close()
    }
  })
})

describe('GET /api/auth/me', () => {
  it('returns the caller’s account', async () => {
    const { status, body, headers } = await auth.client.get('/api/auth/me', { token })
    expect(status).toBe(200)
    expect(body).toEqual({
      id: user.id,
      phone: user.phone,
      email: user.email,
      createdAt: expect.any(String),
    })
    expect(headers.get('cache-control')).toBe('no-store')
  })
})

describe('scopes', () => {
  it.each([
    ['sandbox', null, 'payments:read payments:write payments:settle webhooks:write'],
    ['live', null, 'payments:read'],
    ['live', ['payments:write', 'payments:read'], 'payments:read payments:write'],
    ['live', ['payments:settle', 'payments:admin'], 'payments:admin'],
    ['sandbox', ['payments:settle', 'gone:scope'], 'payments:settle'],
    ['sandbox', [], ''],
  ])('in %s with %j stored are “%s”', async (MODE, stored, expected) => {
    const person = await newUser(auth.client)
    await auth.sql('UPDATE users SET scopes = $2 WHERE id = $1', person.id, stored)
    const BCRYPT_COST = MODE === 'live' ? '10' : '4'
    const other = await startAuth({ DATABASE_URL: auth.databaseUrl, MODE, BCRYPT_COST })
    try {
      const { access_token: own } = await login(other.client, person)
      const { body } = await other.client.get('/api/auth/validate', { token: own })
      expect(body.payload.scope).toBe(expected)
    } finally {
      await other.close()
    }
  })
})
