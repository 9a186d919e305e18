import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, newPerson, newUser, startAuth } from './auth.js'

/** Addresses as proxies forward them: in the limits per network, and in the sessions. */

let auth: Auth

beforeAll(async () => {
  auth = await startAuth({ TRUSTED_PROXIES: '127.0.0.1', REGISTRATIONS_PER_MINUTE: '2' })
})
afterAll(() => auth.close())

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
const register = async (address: string) =>
  (await auth.client.post('/api/auth/register', newPerson(), from(address))).status

describe('a forwarded address', () => {
  it.each<[string, (n: number) => string]>([
    ['with a port', (n) => `203.0.113.${n}:${50_000 + n}`],
    ['in brackets with a port', (n) => `[2001:db8:${n}::1]:443`],
    ['in quotes', (n) => `"198.51.100.${n}"`],
    ['in IPv4-mapped form', (n) => `::ffff:192.0.2.${n}`],
  ])('%s has a limit for each client', async (_, address) => {
    const statuses: number[] = []
    for (let n = 1; n <= 5; n++) statuses.push(await register(address(n)))
    expect(statuses).toEqual([201, 201, 201, 201, 201])
  })

  it('has one limit in all its forms', async () => {
    const forms = ['198.18.0.1', '198.18.0.1:80', '::ffff:198.18.0.1', '"[::FFFF:c612:1]:1"']
    const statuses: number[] = []
    for (const form of forms) statuses.push(await register(form))
    expect(statuses).toEqual([201, 201, 429, 429])
  })

  it.each([
    ['203.0.113.77:51432', '203.0.113.77'],
    ['[2001:DB8::77]:51432', '2001:db8::77'],
    ['unknown', '127.0.0.1'],
    ['198.51.100.9, unknown', '127.0.0.1'],
  ])('%s is stored with the session as %s', async (forwarded, address) => {
    const { client } = await limitless()
    const { phone, password } = await newUser(client)
    const login = await client.post('/api/auth/login', { phone, password }, from(forwarded))
    const token = login.body.access_token as string
    const sessions = await client.get('/api/auth/sessions', { token })
    expect(sessions.body.data).toMatchObject([{ address }])
  })
})

let other: Auth | undefined
afterAll(() => other?.close())

/** A replica that does not limit the registrations of these tests. */
async function limitless(): Promise<Auth> {
  other ??= await startAuth({ TRUSTED_PROXIES: '127.0.0.1' })
  return other
}
