import { normaliseEmail } from '@malipo/kit/http/contact'
import { Problem } from '@malipo/kit/http/problem'
import { InputPipe } from '@malipo/kit/http/validation'
import {
  checkConstraints,
  type CheckConstraint,
  violations,
} from '@malipo/testing/check-constraints'
import { emailInput, emailsOfAllCodePoints, phoneInput } from '@malipo/testing/contact-inputs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CreateKeyDto } from '../src/api-keys/api-keys.dto.js'
import { originOf } from '../src/client-context/client-context.js'
import { dataSource } from '../src/data-source.js'
import { RegisterDto, ScopesDto } from '../src/users/users.dto.js'
import { type Auth, newPerson, startAuth } from './auth.js'

let auth: Auth
let checks: CheckConstraint[]
beforeAll(async () => {
  auth = await startAuth()
  checks = await checkConstraints(auth.sql)
})
afterAll(() => auth.close())

interface Filled {
  readonly input: fc.Arbitrary<unknown>
  /** The column's value for an input, in PostgreSQL's text form; undefined if the input is rejected. */
  readonly stored: (input: unknown) => Promise<string | undefined>
}

type Dto = typeof RegisterDto | typeof ScopesDto | typeof CreateKeyDto

/** The value of a DTO's field after validation. */
function dtoField(metatype: Dto, field: string, other = {}) {
  return async (input: unknown) => {
    try {
      const body = { ...other, [field]: input }
      const dto = await new InputPipe().transform(body, { type: 'body', metatype })
      return (dto as Record<string, unknown>)[field]
    } catch (error) {
      if (error instanceof Problem) return undefined
      throw error
    }
  }
}

const textField = (field: 'phone' | 'email') => async (input: unknown) =>
  (await dtoField(RegisterDto, field, newPerson())(input)) as string | undefined

const userAgent: Filled = {
  input: fc.string({
    unit: fc.integer({ min: 32, max: 255 }).map((c) => String.fromCharCode(c)),
    maxLength: 600,
  }),
  stored: async (input) =>
    originOf({ ip: '::1', headers: { 'user-agent': input as string } }).userAgent ?? undefined,
}

/** How a client fills the column of a CHECK constraint. */
const FILLED_BY_CLIENT: Record<keyof typeof dataSource.clientChecks, Filled> = {
  users_phone_is_e164: { input: phoneInput, stored: textField('phone') },
  users_email_is_normal: { input: emailInput, stored: textField('email') },
  users_scopes_have_no_null: {
    input: fc.array(fc.oneof(fc.string(), fc.constant(null)), { maxLength: 5 }),
    stored: async (input) => {
      const scopes = await dtoField(ScopesDto, 'scopes')(input)
      return scopes === undefined ? undefined : arrayLiteral(scopes as string[])
    },
  },
  api_keys_name_is_short: {
    input: fc.string({ unit: 'binary', maxLength: 150 }),
    stored: async (input) =>
      (await dtoField(CreateKeyDto, 'name', { scopes: ['payments:read'] })(input)) as
        string | undefined,
  },
  sessions_user_agent_is_short: userAgent,
  audit_events_user_agent_is_short: userAgent,
}

const arrayLiteral = (values: (string | null)[]) =>
  `{${values.map((value) => (value === null ? 'NULL' : JSON.stringify(value.replaceAll('\0', '')))).join(',')}}`

/** Columns with a CHECK constraint that only the service fills. */
const FILLED_BY_SERVICE = [
  'api_keys.created_at',
  'api_keys.expires_at',
  'api_keys.hash',
  'api_keys.revocation_cause',
  'api_keys.scopes',
  'api_keys.scopes',
  'audit_events.kind',
  'login_attempts.subject',
  'sessions.created_at',
  'sessions.current_token_hash',
  'sessions.device_token_hash',
  'sessions.expires_at',
  'sessions.refresh_token_hash',
  'sessions.revocation_cause',
  'users.password_hash',
]

describe('a CHECK constraint', () => {
  it('is on a column that the service fills, or is tested with input of clients', () => {
    const rest = checks.filter(({ name }) => !(name in FILLED_BY_CLIENT))
    expect(rest.flatMap(({ columns }) => columns).sort()).toEqual(FILLED_BY_SERVICE)
    expect(Object.keys(FILLED_BY_CLIENT).sort()).toEqual(
      Object.keys(dataSource.clientChecks).sort(),
    )
  })

  it.each(Object.entries(FILLED_BY_CLIENT))(
    '%s holds for all valid input',
    async (name, filled) => {
      const check = checks.find((one) => one.name === name)
      if (!check) throw new Error(`there is no constraint ${name}`)
      const values = await Promise.all(fc.sample(filled.input, 2_000).map(filled.stored))
      const accepted = values.filter((value) => value !== undefined)
      expect(accepted.length).toBeGreaterThan(100)
      expect(await violations(auth.sql, check, accepted)).toEqual([])
    },
  )

  it('on email addresses holds for every accepted code point, and for no white space', async () => {
    const check = checks.find(({ name }) => name === 'users_email_is_normal')
    if (!check) throw new Error('there is no constraint on email addresses')
    const emails = emailsOfAllCodePoints()
    const accepted = emails.flatMap((email) => normaliseEmail(email) ?? [])
    expect(accepted.length).toBeGreaterThan(50_000)
    expect(await violations(auth.sql, check, accepted)).toEqual([])
    const invisible = emails.filter((email) => /[\p{White_Space}\p{Cc}\p{Cf}]/u.test(email))
    const storable = invisible.filter((email) => !email.includes('\0'))
    expect(await violations(auth.sql, check, storable)).toEqual(storable)
  })
})

describe('a violated CHECK constraint', () => {
  it('is a 400 that names the field', async () => {
    await auth.sql(
      `ALTER TABLE users ADD CONSTRAINT users_email_is_normal_2 CHECK (email !~ '^bad') NOT VALID`,
    )
    await auth.sql('ALTER TABLE users DROP CONSTRAINT users_email_is_normal')
    await auth.sql(
      'ALTER TABLE users RENAME CONSTRAINT users_email_is_normal_2 TO users_email_is_normal',
    )
    const person = newPerson()
    const bad = { ...person, email: `bad${person.email}` }
    const { status, body } = await auth.client.post('/api/auth/register', bad)
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field: 'email', message: 'is not allowed' }])
    expect((await auth.client.post('/api/auth/register', person)).status).toBe(201)
  })

  it('of a column that the service fills is a 500', async () => {
    await auth.sql('ALTER TABLE users DROP CONSTRAINT users_password_hash_is_bcrypt')
    await auth.sql(
      `ALTER TABLE users
       ADD CONSTRAINT users_password_hash_is_bcrypt CHECK (password_hash = '') NOT VALID`,
    )
    // Not the test client, because no route documents a 500.
    const answer = await fetch(`${auth.client.url}/api/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(newPerson()),
    })
    expect([answer.status, await answer.json()]).toMatchObject([
      500,
      { type: '/problems/internal' },
    ])
  })
})
