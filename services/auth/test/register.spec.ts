import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, login, newPerson, newUser, startAuth } from './auth.js'

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

const register = (body: unknown) => auth.client.post('/api/auth/register', body)

describe('POST /api/auth/register', () => {
  it('creates an account', async () => {
    const person = newPerson()
    const before = Date.now()
    const { status, body, headers } = await register(person)
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-/),
      phone: person.phone,
      email: person.email,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    expect(Math.abs(Date.parse(body.createdAt) - before)).toBeLessThan(10_000)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('password-strength')).toBe('4')
  })

  it('normalises phone and email, so that both are unique in any form', async () => {
    const { phone, email, password } = newPerson()
    const national = `0${phone.slice(4, 7)} ${phone.slice(7)}`
    const first = await register({ phone: national, email: email.toUpperCase(), password })
    expect(first.status).toBe(201)
    expect(first.body).toMatchObject({ phone, email })
    const other = newPerson()
    for (const same of [`00${phone.slice(1)}`, `\u202A${phone}\u202C`, national]) {
      expect((await register({ ...other, phone: same })).status).toBe(409)
    }
    expect((await register({ ...other, email: ` ${email.toUpperCase()} ` })).status).toBe(409)
  })

  it('distinguishes a taken phone from a taken email', async () => {
    const user = await newUser(auth.client)
    const phone = await register({ ...newPerson(), phone: user.phone })
    expect(phone.status).toBe(409)
    expect(phone.body.type).toBe('/problems/phone-taken')
    const email = await register({ ...newPerson(), email: user.email })
    expect(email.status).toBe(409)
    expect(email.body.type).toBe('/problems/email-taken')
    expect(await auth.sql('SELECT 1 FROM users WHERE phone = $1', user.phone)).toHaveLength(1)
  })

  it.each(['phone', 'email'] as const)('20 at once of one %s: one 201, 19 409s', async (field) => {
    const same = newPerson()[field]
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => register({ ...newPerson(), [field]: same })),
    )
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).toEqual([201, ...Array<number>(19).fill(409)])
    expect(await auth.sql(`SELECT 1 FROM users WHERE ${field} = $1`, same)).toHaveLength(1)
  })

  it('accepts a password of 72 bytes', async () => {
    const person = { ...newPerson(), password: `${'é'.repeat(34)}1234` }
    expect(Buffer.byteLength(person.password)).toBe(72)
    expect((await register(person)).status).toBe(201)
    await login(auth.client, person)
    const almost = { phone: person.phone, password: `${'é'.repeat(34)}1235` }
    expect((await auth.client.post('/api/auth/login', almost)).status).toBe(401)
  })

  it.each([
    ['no phone', { phone: undefined }, 'phone'],
    ['a phone that can’t be one', { phone: '12' }, 'phone'],
    ['a phone that is a number', { phone: 256772123456 }, 'phone'],
    ['no email', { email: undefined }, 'email'],
    ['an email without a host', { email: 'amina@' }, 'email'],
    ['an email of 255 characters', { email: `${'a'.repeat(243)}@example.com` }, 'email'],
    ['a quoted email with a space', { email: '"a b"@example.com' }, 'email'],
    ['an email with a rare white space', { email: 'a\u2003b@example.com' }, 'email'],
    ['an email with a format character', { email: 'a\u200Bb@example.com' }, 'email'],
    ['no password', { password: undefined }, 'password'],
    ['a password of 7 characters', { password: 'ab1!cd2' }, 'password'],
    ['a decomposed password of 7 characters', { password: 'éèêëēĕė'.normalize('NFD') }, 'password'],
    ['a password of 73 bytes', { password: `${'é'.repeat(36)}1` }, 'password'],
    ['a common password', { password: 'QwertyUiop' }, 'password'],
    ['a password that is a list', { password: ['long enough'] }, 'password'],
    ['an unknown field', { scopes: ['auth:admin'] }, 'scopes'],
  ])('rejects %s and names the field', async (_, change, field) => {
    const person = newPerson()
    const { status, body } = await register({ ...person, ...change })
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field, message: expect.any(String) }])
    expect(await auth.sql('SELECT 1 FROM users WHERE phone = $1', person.phone)).toEqual([])
  })

  it('stores the hash of the password only', async () => {
    const user = await newUser(auth.client)
    const [row] = await auth.sql<object>('SELECT * FROM users WHERE id = $1', user.id)
    expect(JSON.stringify(row)).not.toContain(user.password)
    expect(row).toMatchObject({ password_hash: expect.stringMatching(/^\$2b\$04\$/), scopes: null })
  })
})
