import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, isValid, newSession, SECRET, startAuth } from './auth.js'
import { headerOf, newKeySet, privateKeys } from './key-folder.js'

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
  claims = jwt.decode(token) as Record<string, unknown>
  kid = headerOf(token).kid ?? ''
  const { body } = await auth.client.get('/.well-known/jwks.json')
  const key = createPublicKey({ key: body.keys[0] as JsonWebKey, format: 'jwk' })
  publicPem = key.export({ type: 'spki', format: 'pem' }) as string
})
afterAll(() => auth.close())

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The good token with another header, and its own signature. */
const withHeader = (header: object) => `${encoded(header)}.${token.split('.').slice(1).join('.')}`

/** The good claims, signed by HS256 with whatever; no library would do it with a public key. */
function byHmac(secret: string, header: object) {
  const text = `${encoded({ alg: 'HS256', typ: 'JWT', ...header })}.${encoded(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** The good claims signed by ES256, with changes. */
function signed(changes: object, key = privateKeys(folder)[0]?.key, header: object = {}) {
  if (!key) throw new Error('there is no key')
  return jwt.sign({ ...claims, ...changes }, key, {
    algorithm: 'ES256',
    header: { alg: 'ES256', kid, ...header },
  })
}

describe('tokens of a key set', () => {
  it('are signed by ES256 and name their key, which anyone can get', async () => {
    const { status, body, headers } = await auth.client.get('/.well-known/jwks.json')
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('public, max-age=120')
    const key = { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) }
    expect(body).toEqual({ keys: [{ ...key, kid, use: 'sig', alg: 'ES256' }] })
    expect(headerOf(token)).toEqual({ alg: 'ES256', typ: 'JWT', kid })
    const options = { algorithms: ['ES256' as const], issuer: 'malipo-auth', audience: 'malipo' }
    expect(jwt.verify(token, publicPem, options)).toEqual(claims)
    expect(await isValid(auth.client, token)).toBe(true)
    expect(await isValid(auth.client, signed({}))).toBe(true)
  })

  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  it.each<[string, () => string]>([
    ['is signed by HS256 with the public key', () => byHmac(publicPem, { kid })],
    ['is so signed without the line’s end', () => byHmac(publicPem.trim(), { kid })],
    ['is so signed and names no key', () => byHmac(publicPem, {})],
    ['is signed by HS256 with the key’s name', () => byHmac(kid, { kid })],
    ['is signed by HS256 with nothing', () => byHmac('', { kid })],
    ['is signed by HS256 with another replica’s secret', () => byHmac(SECRET, {})],
    ['names a key that is not ours', () => withHeader({ alg: 'ES256', kid: 'another' })],
    ['names a file', () => withHeader({ alg: 'ES256', kid: '../../../../dev/null' })],
    ['names a thing of all objects', () => withHeader({ alg: 'ES256', kid: '__proto__' })],
    ['names no key', () => withHeader({ alg: 'ES256' })],
    ['has algorithm none', () => withHeader({ alg: 'none', kid }).replace(/[^.]*$/, '')],
    ['has algorithm none and a signature', () => withHeader({ alg: 'none', kid })],
    ['has another algorithm', () => withHeader({ alg: 'ES384', kid })],
    [
      'brings a key of its own',
      () => signed({}, stranger.privateKey, { jwk: stranger.publicKey.export({ format: 'jwk' }) }),
    ],
    ['is of another issuer', () => signed({ iss: 'someone-else' })],
    ['is for another audience', () => signed({ aud: 'someone-else' })],
    ['is over for 30 s', () => signed({ exp: Math.floor(Date.now() / 1000) - 30 })],
  ])('do not count when one %s', async (_, make) => {
    expect(await isValid(auth.client, make())).toBe(false)
  })

  it.each([-30, 30])('count when the clock that signed them was %i s off', async (seconds) => {
    const iat = Math.floor(Date.now() / 1000) + seconds
    expect(await isValid(auth.client, signed({ iat, exp: iat + 900 }))).toBe(true)
  })

  it.each([
    ['issuer', { JWT_ISSUER: 'someone-else' }],
    ['audience', { JWT_AUDIENCE: 'someone-else' }],
  ])('of another %s are others, though by the same key', async (_, change) => {
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
  it('no key is told, and a token names none', async () => {
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

  it('and a set that signs later: the secret’s tokens count, then the set’s do too', async () => {
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
