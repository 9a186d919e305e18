import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, login, newPerson, newUser, type Person, startAuth } from './auth.js'
import { attempt, newAddress } from './clients.js'

let auth: Auth
let replica: Auth

/** Both replicas trust this test as a proxy. They share a database and no Redis. */
beforeAll(async () => {
  const common = { REDIS_URL: undefined, TRUSTED_PROXIES: '127.0.0.1' }
  auth = await startAuth(common)
  replica = await startAuth({ ...common, DATABASE_URL: auth.databaseUrl })
})
afterAll(async () => {
  await auth.close()
  await replica.close()
})

type Tokens = Parameters<typeof attempt>[3]

const user = () => newUser(auth.client)

/** Tries wrong passwords until one is not answered with 401. @returns the number of 401 and the last answer */
async function guess(phone: string, nextAddress: () => string, tokens: Tokens = {}, limit = 200) {
  for (let wrong = 0; wrong < limit; wrong++) {
    const guessed = { phone, password: `guess ${wrong}` }
    const answer = await attempt(wrong % 2 ? replica : auth, guessed, nextAddress(), tokens)
    if (answer.status !== 401) return { wrong, answer }
  }
  throw new Error(`none of ${limit} guesses was rejected`)
}

async function statusOf(person: Person, address: string, tokens: Tokens = {}) {
  return (await attempt(auth, person, address, tokens)).status
}

/** Lets time pass for the counted attempts. */
const pass = (minutes: number) =>
  auth.sql('UPDATE login_attempts SET expires_at = expires_at - make_interval(mins => $1)', minutes)

describe('unrecognised clients', () => {
  it('of one network have ten attempts, then one in 45 minutes', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    const { wrong, answer } = await guess(phone, () => address)
    expect([wrong, answer.status, answer.body.type]).toEqual([
      10,
      429,
      '/problems/too-many-attempts',
    ])
    const seconds = Number(answer.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(2_600)
    expect(seconds).toBeLessThanOrEqual(2_700)
    expect(answer.headers.get('ratelimit-policy')).toBe('"login";q=10;w=27000')
    expect(answer.headers.get('ratelimit')).toBe(`"login";r=0;t=${seconds}`)
    expect((await attempt(auth, { phone, password }, address)).status).toBe(429)
    await pass(45)
    expect((await attempt(auth, { phone, password: 'one more' }, address)).status).toBe(401)
    expect((await attempt(auth, { phone, password }, address)).status).toBe(429)
  })

  it('of other networks are not delayed by the guesses of one network', async () => {
    const person = await user()
    const address = newAddress()
    for (let day = 0; day < 3; day++) {
      await guess(person.phone, () => address)
      await pass(24 * 60)
    }
    await guess(person.phone, () => address)
    expect(await statusOf(person, newAddress())).toBe(200)
  })

  it('of all networks together have fifteen attempts', async () => {
    const person = await user()
    const { wrong, answer } = await guess(person.phone, newAddress)
    expect(wrong).toBe(15)
    expect(answer.headers.get('ratelimit-policy')).toBe('"login-account";q=15;w=40500')
    expect(await statusOf(person, newAddress())).toBe(429)
    await pass(45)
    expect(await statusOf(person, newAddress())).toBe(200)
  })

  it('see the remaining attempts, which a right password does not reduce', async () => {
    const [{ phone, password }, address] = [await user(), newAddress()]
    for (const left of [9, 8]) {
      const { headers } = await attempt(auth, { phone, password: 'not this one' }, address)
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"login";r=${left};t=\\d+$`))
    }
    for (let i = 0; i < 20; i++) {
      expect((await attempt(auth, { phone, password }, address)).status).toBe(200)
    }
    const { headers } = await attempt(auth, { phone, password: 'not this one' }, address)
    expect(headers.get('ratelimit')).toMatch(/^"login";r=7;/)
  })

  it('of one IPv6 /48 share the limit of a network', async () => {
    const person = await user()
    let host = 0
    const { wrong } = await guess(
      person.phone,
      () => `2001:db8:7:${(++host).toString(16)}00::${host}`,
    )
    expect(wrong).toBe(10)
    expect(await statusOf(person, '2001:db8:7:ffff::1')).toBe(429)
    expect(await statusOf(person, '2001:db8:8::1')).toBe(200)
  })

  it('are counted before the check: of fifty concurrent guesses ten are answered', async () => {
    const [{ phone }, address] = [await user(), newAddress()]
    const guesses = Array.from({ length: 50 }, (_, i) =>
      attempt(i % 2 ? replica : auth, { phone, password: `guess ${i}` }, address),
    )
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(40)
  })

  it('with the right password are not limited: fifty concurrent logins succeed', async () => {
    const [person, address] = [await user(), newAddress()]
    const logins = Array.from({ length: 50 }, () => statusOf(person, address))
    expect(await Promise.all(logins)).toEqual(Array(50).fill(200))
  })

  it('get the same answers for a phone without an account', async () => {
    const [known, unknown] = [await user(), newPerson()]
    for (const nextAddress of [newAddress, () => '198.19.0.1']) {
      const results = []
      for (const { phone } of [known, unknown]) {
        const { wrong, answer } = await guess(phone, nextAddress)
        results.push([
          wrong,
          answer.status,
          answer.body.detail,
          answer.headers.get('ratelimit-policy'),
        ])
      }
      expect(results[1]).toEqual(results[0])
    }
  })
})

describe('the account’s owner, while others guess from many addresses', () => {
  it.each([
    [
      'a device token',
      ({ device_token: deviceToken }: { device_token: string }) => ({ deviceToken }),
    ],
    ['an access token', ({ access_token: token }: { access_token: string }) => ({ token })],
  ])('logs in with %s, from any address', async (_, tokensOf) => {
    const person = await user()
    const tokens = tokensOf(await login(auth.client, person))
    await guess(person.phone, newAddress)
    for (let i = 0; i < 5; i++) expect(await statusOf(person, newAddress(), tokens)).toBe(200)
    expect(await statusOf(person, newAddress())).toBe(429)
  })

  it('logs in without a token from a network where a session is active', async () => {
    const [person, home] = [await user(), newAddress()]
    expect(await statusOf(person, home)).toBe(200)
    await guess(person.phone, newAddress)
    for (let i = 0; i < 5; i++) expect(await statusOf(person, home)).toBe(200)
    await auth.sql('UPDATE sessions SET revoked_at = now() WHERE user_id = $1', person.id)
    expect(await statusOf(person, home)).toBe(429)
  })

  it('logs in although a neighbour behind the same address has guessed eleven times', async () => {
    const [person, shared] = [await user(), newAddress()]
    expect(await statusOf(person, shared)).toBe(200)
    for (let i = 0; i < 11; i++) {
      await attempt(auth, { phone: person.phone, password: `guess ${i}` }, shared)
    }
    expect(await statusOf(person, shared)).toBe(200)
  })

  it('changes the password in an open session', async () => {
    const person = await user()
    const { access_token: token } = await login(auth.client, person)
    await guess(person.phone, newAddress)
    const body = { currentPassword: person.password, newPassword: 'quite another pass phrase' }
    expect((await auth.client.post('/api/auth/password', body, { token })).status).toBe(204)
  })
})

describe('wrong passwords', () => {
  it('of a recognised client use up neither another client’s limit nor that of unrecognised clients', async () => {
    const person = await user()
    const [own, other] = [await login(auth.client, person), await login(auth.client, person)]
    const { wrong, answer } = await guess(person.phone, newAddress, {
      deviceToken: own.device_token,
    })
    expect([wrong, answer.headers.get('ratelimit-policy')]).toEqual([
      10,
      '"login-client";q=10;w=48000',
    ])
    expect(await statusOf(person, newAddress(), { deviceToken: own.device_token })).toBe(429)
    expect(await statusOf(person, newAddress(), { deviceToken: other.device_token })).toBe(200)
    expect(await statusOf(person, newAddress())).toBe(200)
  })

  it('in the owner’s network get the answer of a phone without an account', async () => {
    const [person, shared] = [await user(), newAddress()]
    expect(await statusOf(person, shared)).toBe(200)
    const { wrong, answer } = await guess(person.phone, () => shared)
    const unknown = await guess(newPerson().phone, () => shared)
    expect(wrong).toBe(unknown.wrong)
    expect(answer.headers.get('ratelimit-policy')).toBe(
      unknown.answer.headers.get('ratelimit-policy'),
    )
    const { body } = await attempt(auth, { phone: person.phone, password: 'another guess' }, shared)
    expect(body.detail).toBe(unknown.answer.body.detail)
  })

  it('in the owner’s network get that answer also if the limit of the network is reached', async () => {
    const own = { REDIS_URL: undefined, TRUSTED_PROXIES: '127.0.0.1', REFUSALS_PER_MINUTE: '12' }
    const limited = await startAuth({ ...own, DATABASE_URL: auth.databaseUrl })
    try {
      const [person, unknown, shared] = [await user(), newPerson(), newAddress()]
      expect(await statusOf(person, shared)).toBe(200)
      for (const { phone } of [person, unknown]) await guess(phone, () => shared)
      for (let i = 0; i < 12; i++) await attempt(limited, newPerson(), shared)
      const answers = []
      for (const { phone } of [person, unknown]) {
        const { status, headers } = await attempt(limited, { phone, password: 'a guess' }, shared)
        const seconds = Number(headers.get('retry-after'))
        answers.push([status, headers.get('ratelimit-policy'), Math.ceil(seconds / 600)])
      }
      expect(answers).toEqual(Array(2).fill([429, '"login";q=10;w=27000', 5]))
    } finally {
      await limited.close()
    }
  })

  it('beyond a limit take as long for a phone without an account as for one with a hash', async () => {
    const slow = await startAuth({
      REDIS_URL: undefined,
      TRUSTED_PROXIES: '127.0.0.1',
      DATABASE_URL: auth.databaseUrl,
      BCRYPT_COST: '9',
    })
    try {
      const [person, unknown, shared] = [await user(), newPerson(), newAddress()]
      expect(await statusOf(person, shared)).toBe(200)
      for (const { phone } of [person, unknown]) {
        await guess(phone, () => shared)
        const begun = performance.now()
        const { status } = await attempt(slow, { phone, password: 'another guess' }, shared)
        expect(status).toBe(429)
        // 750 ms at cost 12. A timer may fire a millisecond early.
        expect(performance.now() - begun).toBeGreaterThan(750 / 8 - 2)
      }
    } finally {
      await slow.close()
    }
  })

  it('are answered at most 100 times a day, whichever tokens and addresses the clients have', async () => {
    const [person, home] = [await user(), newAddress()]
    expect(await statusOf(person, home)).toBe(200)
    const clients: Tokens[] = [{}]
    for (let i = 0; i < 4; i++) {
      const { device_token: deviceToken, access_token: token } = await login(auth.client, person)
      clients.push({ deviceToken }, { token })
    }
    const answered = async () => {
      const [row] = await auth.sql<{ count: number }>(
        `SELECT count(*)::integer FROM audit_events WHERE kind = 'login_failure' AND user_id = $1`,
        person.id,
      )
      return row?.count ?? NaN
    }
    // Half an hour at a time for 23.5 hours. The audit trail has every wrong password that was checked.
    for (let time = 0; time < 24 * 60; time += 30) {
      for (const tokens of clients) {
        for (const address of [home, newAddress(), newAddress()]) {
          await guess(person.phone, () => address, tokens)
        }
      }
      await pass(30)
    }
    expect(await answered()).toBeGreaterThan(90)
    expect(await answered()).toBeLessThanOrEqual(100)
  }, 120_000)
})
