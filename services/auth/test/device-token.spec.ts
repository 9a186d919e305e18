import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, claimsOf, login, newUser, type Person, startAuth } from './auth.js'
import { attempt, newAddress } from './clients.js'

let auth: Auth
beforeAll(async () => {
  auth = await startAuth({ REDIS_URL: undefined, TRUSTED_PROXIES: '127.0.0.1' })
})
afterAll(() => auth.close())

/** Registers a user and logs in. */
async function newDevice() {
  const user = await newUser(auth.client)
  const { device_token: deviceToken, access_token: token, ...rest } = await login(auth.client, user)
  return { user, deviceToken, token, refreshToken: rest.refresh_token, ...claimsOf(token) }
}

/** Whether auth recognises the client: others have used up the attempts of unrecognised clients. */
async function isRecognised(user: Person, deviceToken: string | undefined) {
  for (let i = 0; i < 15; i++) {
    await attempt(auth, { phone: user.phone, password: `guess ${i}` }, newAddress())
  }
  const { status } = await attempt(auth, user, newAddress(), { deviceToken })
  expect([200, 429]).toContain(status)
  return status === 200
}

describe('a device token', () => {
  it('is returned by a login and by each refresh of its session', async () => {
    const { user, deviceToken, refreshToken } = await newDevice()
    const refresh = (refresh_token: string) =>
      auth.client.post('/api/auth/refresh', { refresh_token })
    const first = await refresh(refreshToken)
    expect([first.status, first.body.device_token]).toEqual([200, deviceToken])
    const second = await refresh(first.body.refresh_token as string)
    expect(second.body.device_token).toBe(deviceToken)
    expect((await login(auth.client, user)).device_token).not.toBe(deviceToken)
  })

  it('may be null in a login, as clients send a missing value', async () => {
    const { phone, password } = await newUser(auth.client)
    const body = { phone, password, device_token: null }
    expect((await auth.client.post('/api/auth/login', body)).status).toBe(200)
  })

  it('is stored only as a hash', async () => {
    const { deviceToken, sid } = await newDevice()
    const secret = Buffer.from(deviceToken, 'base64url').subarray(16)
    const rows = await auth.sql<{ hash: Buffer; isHashed: boolean }>(
      `SELECT device_token_hash AS hash, device_token_hash = sha256($2) AS "isHashed"
       FROM sessions WHERE id = $1`,
      sid,
      secret,
    )
    expect(rows).toEqual([{ hash: expect.any(Buffer), isHashed: true }])
    expect(rows[0]?.hash.equals(secret)).toBe(false)
  })

  it('recognises a client after its logout', async () => {
    const { user, deviceToken, token } = await newDevice()
    await auth.sql('DELETE FROM revocation_outbox')
    expect((await auth.client.post('/api/auth/logout', undefined, { token })).status).toBe(204)
    expect(await isRecognised(user, deviceToken)).toBe(true)
  })

  it('recognises a client after its session has expired', async () => {
    const { user, deviceToken, sid } = await newDevice()
    await auth.sql(
      `UPDATE sessions SET created_at = now() - interval '80 days', expires_at = now() - interval '50 days'
       WHERE id = $1`,
      sid,
    )
    expect(await isRecognised(user, deviceToken)).toBe(true)
  })

  it.each([
    [89, true],
    [91, false],
  ])('%d days after the last use of its session: recognised is %s', async (days, recognised) => {
    const { user, deviceToken, sid } = await newDevice()
    await auth.sql(
      'UPDATE sessions SET last_used_at = now() - make_interval(days => $2) WHERE id = $1',
      sid,
      days,
    )
    expect(await isRecognised(user, deviceToken)).toBe(recognised)
  })

  it.each(['revoked', 'refresh_reuse', null])(
    'is revoked with its session, if the cause is %s',
    async (cause) => {
      const { user, deviceToken, sid } = await newDevice()
      await auth.sql(
        'UPDATE sessions SET revoked_at = now(), revocation_cause = $2 WHERE id = $1',
        sid,
        cause,
      )
      expect(await isRecognised(user, deviceToken)).toBe(false)
    },
  )

  it('of a session that the user revokes in the list of sessions is revoked', async () => {
    const lost = await newDevice()
    const { access_token: token } = await login(auth.client, lost.user)
    const path = `/api/auth/sessions/${lost.sid}`
    expect((await auth.client.send('DELETE', path, { token })).status).toBe(204)
    expect(await isRecognised(lost.user, lost.deviceToken)).toBe(false)
  })

  it('is revoked by a new password, also after a logout, except that of the session which sets it', async () => {
    const own = await newDevice()
    const [active, closed] = [
      await login(auth.client, own.user),
      await login(auth.client, own.user),
    ]
    const closing = { token: closed.access_token }
    expect((await auth.client.post('/api/auth/logout', undefined, closing)).status).toBe(204)
    const password = 'quite another pass phrase'
    const body = { currentPassword: own.user.password, newPassword: password }
    const changed = await auth.client.post('/api/auth/password', body, { token: own.token })
    expect(changed.status).toBe(204)
    const user = { ...own.user, password }
    expect(await isRecognised(user, own.deviceToken)).toBe(true)
    expect(await isRecognised(user, active.device_token)).toBe(false)
    expect(await isRecognised(user, closed.device_token)).toBe(false)
  })
})

describe('the same as no device token is', () => {
  it.each([
    ['an empty string', async () => ''],
    ['a malformed one', async () => 'not a device token'],
    ['one of another account', async () => (await newDevice()).deviceToken],
    [
      'one with another secret',
      async (own: string) => own.slice(0, 24) + (await newDevice()).deviceToken.slice(24),
    ],
    [
      'one of another session',
      async (own: string) => (await newDevice()).deviceToken.slice(0, 24) + own.slice(24),
    ],
  ])('%s', async (_, tokenOf) => {
    const { user, deviceToken: own } = await newDevice()
    const deviceToken = await tokenOf(own)
    const wrong = { phone: user.phone, password: 'not this one' }
    const [address, id] = [newAddress(), { 'x-request-id': 'the-same' }]
    const answers = []
    for (const token of [undefined, deviceToken]) {
      const { phone, password } = wrong
      const body = { phone, password, ...(token !== undefined && { device_token: token }) }
      const headers = { ...id, 'x-forwarded-for': address }
      answers.push(await auth.client.post('/api/auth/login', body, { headers }))
    }
    expect(answers.map(({ status }) => status)).toEqual([401, 401])
    expect(answers[1]?.body).toEqual(answers[0]?.body)
    const policies = answers.map(({ headers }) => headers.get('ratelimit-policy'))
    expect(policies[1]).toBe(policies[0])
    expect(await isRecognised(user, deviceToken)).toBe(false)
    expect(await isRecognised(user, own)).toBe(true)
  })

  it('null', async () => {
    const { user } = await newDevice()
    const { phone, password } = user
    const body = { phone, password, device_token: null }
    expect((await auth.client.post('/api/auth/login', body)).status).toBe(200)
  })
})
