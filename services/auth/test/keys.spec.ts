import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { JwtService } from '@nestjs/jwt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, isValid, newSession, SECRET, startAuth } from './auth.js'
import { headerOf, newKeySet, privateKeys } from './key-folder.js'

const jwt = new JwtService()

let folder: string
let auth: Auth
let token: string
let claims: Record<string, unknown>
let kid: string
let publicPem: string

beforeAll(async () => {
  folder = await newKeySet()
  auth = await startAuth({ JWT_SECRET: undefined, JWT_KEYS_DIR: folder })
  token = (await newSession(auth.client)).token
  claims = jwt.decode<Record<string, unknown>>(token)
  kid = headerOf(token).kid ?? ''
  const { body } = await auth.client.get('/.well-known/jwks.json')
  const key = createPublicKey({ key: body.keys[0] as JsonWebKey, format: 'jwk' })
  publicPem = key.export({ type: 'spki', format: 'pem' }) as string
})
afterAll(() => auth.close())

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The valid token with a changed header and its original signature. */
const withHeader = (header: object) => `${encoded(header)}.${token.split('.').slice(1).join('.')}`

/** Signs the valid claims by HS256 without a library: libraries refuse a public key as the secret. */
function byHmac(secret: string, header: object) {
  const text = `${encoded({ alg: 'HS256', typ: 'JWT', ...header })}.${encoded(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** Signs the valid claims, with changes, by ES256. */
function signed(changes: object, key = privateKeys(folder)[0]?.key, header: object = {}) {
  if (!key) throw new Error('there is no key')
  return jwt.sign(
    { ...claims, ...changes },
    {
      privateKey: key,
      algorithm: 'ES256',
      header: { alg: 'ES256', kid, ...header },
    },
  )
}

describe('tokens of a key set', () => {
  it('are signed by ES256 and name their key, which is public', async () => {
    const { status, body, headers } = await auth.client.get('/.well-known/jwks.json')
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('public, max-age=120')
    const key = { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) }
    expect(body).toEqual({ keys: [{ ...key, kid, use: 'sig', alg: 'ES256' }] })
    expect(headerOf(token)).toEqual({ alg: 'ES256', typ: 'JWT', kid })
    const options = { algorithms: ['ES256' as const], issuer: 'malipo-auth', audience: 'malipo' }
    expect(jwt.verify<object>(token, { publicKey: publicPem, ...options })).toEqual(claims)
    expect(await isValid(auth.client, token)).toBe(true)
    for (const typ of ['JWT', 'at+jwt', undefined]) {
      expect(await isValid(auth.client, signed({}, undefined, { typ }))).toBe(true)
    }
  })

  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  it.each<[string, () => string]>([
    ['is signed by HS256 with the public key', () => byHmac(publicPem, { kid })],
    ['is so signed without the trailing newline', () => byHmac(publicPem.trim(), { kid })],
    ['is so signed without kid', () => byHmac(publicPem, {})],
    ['is signed by HS256 with the kid', () => byHmac(kid, { kid })],
    ['is signed by HS256 with an empty secret', () => byHmac('', { kid })],
    ['is signed by HS256 with another replica’s secret', () => byHmac(SECRET, {})],
    ['names an unknown key', () => withHeader({ alg: 'ES256', kid: 'another' })],
    ['names a file', () => withHeader({ alg: 'ES256', kid: '../../../../dev/null' })],
    ['names a property of every object', () => withHeader({ alg: 'ES256', kid: '__proto__' })],
    ['names no key', () => withHeader({ alg: 'ES256' })],
    ['has algorithm none', () => withHeader({ alg: 'none', kid }).replace(/[^.]*$/, '')],
    ['has algorithm none and a signature', () => withHeader({ alg: 'none', kid })],
    ['has another algorithm', () => withHeader({ alg: 'ES384', kid })],
    [
      'carries its own key',
      () => signed({}, stranger.privateKey, { jwk: stranger.publicKey.export({ format: 'jwk' }) }),
    ],
    ['has a critical extension', () => signed({}, undefined, { crit: ['exp'] })],
    ['has an empty list of critical extensions', () => signed({}, undefined, { crit: [] })],
    ['is a logout token', () => signed({}, undefined, { typ: 'logout+jwt' })],
    ['is of another issuer', () => signed({ iss: 'someone-else' })],
    ['is for another audience', () => signed({ aud: 'someone-else' })],
    ['expired 30 s ago', () => signed({ exp: Math.floor(Date.now() / 1000) - 30 })],
  ])('are invalid when one %s', async (_, make) => {
    expect(await isValid(auth.client, make())).toBe(false)
  })

  it.each([-30, 30])('are valid when the clock that signed them was %i s off', async (seconds) => {
    const iat = Math.floor(Date.now() / 1000) + seconds
    expect(await isValid(auth.client, signed({ iat, exp: iat + 900 }))).toBe(true)
  })

  it.each([
    ['issuer', { JWT_ISSUER: 'someone-else' }],
    ['audience', { JWT_AUDIENCE: 'someone-else' }],
  ])('of another %s are invalid, though signed by the same key', async (_, change) => {
    const common = { DATABASE_URL: auth.databaseUrl, JWT_KEYS_DIR: folder }
    const own = await startAuth({ ...common, ...change })
    try {
      const foreign = (await newSession(own.client)).token
      expect(await isValid(own.client, foreign)).toBe(true)
      expect(await isValid(auth.client, foreign)).toBe(false)
      expect(await isValid(own.client, token)).toBe(false)
    } finally {
      await own.close()
    }
  })
})

describe('with a secret', () => {
  it('no key is published, and tokens have no kid', async () => {
    const simple = await startAuth({ DATABASE_URL: auth.databaseUrl })
    try {
      const { body } = await simple.client.get('/.well-known/jwks.json')
      expect(body).toEqual({ keys: [] })
      const { token: own } = await newSession(simple.client)
      expect(headerOf(own)).toEqual({ alg: 'HS256', typ: 'JWT' })
      expect(await isValid(simple.client, token)).toBe(false)
    } finally {
      await simple.close()
    }
  })

  it('and a key set that signs later, tokens of both are valid', async () => {
    const both = await startAuth({ JWT_KEYS_DIR: await newKeySet('--signs-in', '3') })
    try {
      const first = await newSession(both.client)
      expect(headerOf(first.token).alg).toBe('HS256')
      const alg = async () => {
        const body = { phone: first.user.phone, password: first.user.password }
        const answer = await both.client.post('/api/auth/login', body)
        return headerOf(answer.body.access_token as string).alg
      }
      await expect.poll(alg, { timeout: 10_000, interval: 300 }).toBe('ES256')
      expect(await isValid(both.client, first.token)).toBe(true)
      const logout = await both.client.send('POST', '/api/auth/logout', { token: first.token })
      expect(logout.status).toBe(204)
    } finally {
      await both.close()
    }
  })
})
