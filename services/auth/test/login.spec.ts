import { setTimeout as sleep } from 'node:timers/promises'
import { hash } from 'bcrypt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, login, newPerson, newUser, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const attempt = (phone: string, password: string, headers = {}) =>
  auth.client.post('/api/auth/login', { phone, password }, { headers })

const hashOf = async (id: string) => {
  const [row] = await auth.sql<{ hash: string }>(
    'SELECT password_hash AS hash FROM users WHERE id = $1',
    id,
  )
  return row?.hash ?? ''
}

describe('POST /api/auth/login', () => {
  it('opens a session and returns its tokens', async () => {
    const user = await newUser(auth.client)
    const { status, body, headers } = await attempt(user.phone, user.password)
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^[\w-]{86}$/),
      device_token: expect.stringMatching(/^[\w-]{64}$/),
    })
    expect(headers.get('cache-control')).toBe('no-store')
    const sessions = await auth.sql<object>('SELECT * FROM sessions WHERE user_id = $1', user.id)
    expect(sessions).toHaveLength(1)
    expect(JSON.stringify(sessions)).not.toContain(body.refresh_token)
    expect(JSON.stringify(sessions)).not.toContain(body.device_token)
  })

  it('puts neither phone nor email into the token', async () => {
    const user = await newUser(auth.client)
    const { access_token: token } = await login(auth.client, user)
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    expect(Object.keys(claims as object).sort()).toEqual([
      'aud',
      'exp',
      'iat',
      'iss',
      'jti',
      'scope',
      'sid',
      'sub',
    ])
    expect(claims).toMatchObject({ sub: user.id, iss: 'malipo-auth', aud: 'malipo' })
  })

  it.each(['NFC', 'NFD'] as const)('accepts a password in %s, however it was set', async (form) => {
    const password = 'Matoké ñ Ä 가나다'
    const other = form === 'NFC' ? 'NFD' : 'NFC'
    const person = { ...newPerson(), password: password.normalize(form) }
    expect((await auth.client.post('/api/auth/register', person)).status).toBe(201)
    expect((await attempt(person.phone, password.normalize(form))).status).toBe(200)
    expect((await attempt(person.phone, password.normalize(other))).status).toBe(200)
  })

  it('accepts the phone in national form', async () => {
    const user = await newUser(auth.client)
    expect((await attempt(`0${user.phone.slice(4)}`, user.password)).status).toBe(200)
  })

  it('answers an unknown phone and a wrong password identically', async () => {
    const user = await newUser(auth.client)
    const id = { 'x-request-id': 'the-same' }
    const wrong = await attempt(user.phone, `${user.password}!`, id)
    const unknown = await attempt(newPerson().phone, user.password, id)
    expect(wrong.status).toBe(401)
    expect(unknown.status).toBe(401)
    expect(unknown.body).toEqual(wrong.body)
    const without = (headers: Headers) => [...headers].filter(([name]) => name !== 'date')
    expect(without(unknown.headers)).toEqual(without(wrong.headers))
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer')
    expect(await auth.sql('SELECT 1 FROM sessions WHERE user_id = $1', user.id)).toEqual([])
  })

  it.each([
    ['no phone', { password: 'long enough' }, 'phone'],
    ['a phone that can’t be one', { phone: 'amina', password: 'long enough' }, 'phone'],
    ['no password', { phone: '+256772123456' }, 'password'],
    ['a password of 73 bytes', { phone: '+256772123456', password: 'a'.repeat(73) }, 'password'],
    [
      'a device token that is no string',
      { phone: '+256772123456', password: 'long enough', device_token: 7 },
      'device_token',
    ],
    ['an unknown field', { phone: '+256772123456', password: 'long enough', otp: '1' }, 'otp'],
  ])('rejects %s and names the field', async (_, body, field) => {
    const answer = await auth.client.post('/api/auth/login', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toEqual([{ field, message: expect.any(String) }])
  })

  it('rejects a password of which only the first 72 bytes match', async () => {
    const person = { ...newPerson(), password: 'x1y2z3'.repeat(12) }
    expect((await auth.client.post('/api/auth/register', person)).status).toBe(201)
    expect((await attempt(person.phone, person.password)).status).toBe(200)
    expect((await attempt(person.phone, `${person.password}!`)).status).toBe(400)
  })
})

describe('a hash of another cost', () => {
  it.each([
    ['lower', 4, 6],
    ['higher', 6, 4],
  ])('%s than configured is replaced at the next login', async (_, before, after) => {
    const user = await newUser(auth.client)
    const old = await hash(user.password, before)
    await auth.sql('UPDATE users SET password_hash = $2 WHERE id = $1', user.id, old)
    const next = await startAuth({ DATABASE_URL: auth.databaseUrl, BCRYPT_COST: String(after) })
    try {
      const body = { phone: user.phone, password: 'wrong password' }
      expect((await next.client.post('/api/auth/login', body)).status).toBe(401)
      expect(await hashOf(user.id)).toBe(old)
      await login(next.client, user)
      await expect.poll(() => hashOf(user.id)).toMatch(`$2b$0${after}$`)
      const replaced = await hashOf(user.id)
      await login(next.client, user)
      await sleep(100)
      expect(await hashOf(user.id)).toBe(replaced)
    } finally {
      await next.close()
    }
  })

  it('that cannot be replaced does not fail the login', async () => {
    const user = await newUser(auth.client)
    await auth.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`)
    await auth.sql(`CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW
      WHEN (OLD.id = '${user.id}') EXECUTE FUNCTION refuse()`)
    const next = await startAuth({ DATABASE_URL: auth.databaseUrl, BCRYPT_COST: '5' })
    try {
      await login(next.client, user)
      await sleep(100)
      expect(await hashOf(user.id)).toMatch('$2b$04$')
    } finally {
      await next.close()
    }
  })
})
