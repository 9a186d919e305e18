import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, environment, login, newPerson, newUser, startAuth } from './auth.js'

const SCRIPT = join(import.meta.dirname, '../dist/cli/operator.js')

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

/** Runs the built `operator` command with this input, as `kubectl exec -i` would. */
function operator(args: string[], own: Record<string, string> = {}, input = '') {
  const env = environment({ DATABASE_URL: auth.databaseUrl, ...own })
  const child = spawn(process.execPath, [SCRIPT, ...args], { env })
  child.stdin.end(input)
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

async function scopeOf(person: { phone: string; email: string; password: string }) {
  const { access_token: token } = await login(auth.client, person)
  return (await auth.client.get('/api/auth/validate', { token })).body.payload.scope as string
}

describe('the operator command', () => {
  it('creates an operator with the password of the environment', async () => {
    const { password, ...person } = newPerson()
    const { code, out } = await operator(['--phone', person.phone, '--email', person.email], {
      OPERATOR_PASSWORD: password,
    })
    expect(code).toBe(0)
    expect(out).toMatch(/^account [\da-f-]{36} created with payments:read .*auth:admin\n$/)
    const scope = await scopeOf({ ...person, password })
    expect(scope.split(' ').sort()).toEqual([
      'auth:admin',
      'payments:admin',
      'payments:read',
      'payments:settle',
      'payments:write',
      'webhooks:write',
    ])
  })

  it('accepts a decomposed password, by either way', async () => {
    const password = 'crème brûlée à la carte'
    for (const byEnvironment of [true, false]) {
      const { phone, email } = newPerson()
      const given = password.normalize('NFD')
      const { code } = await operator(
        ['--phone', phone, '--email', email],
        byEnvironment ? { OPERATOR_PASSWORD: given } : {},
        byEnvironment ? '' : `${given}\n`,
      )
      expect(code).toBe(0)
      expect(await scopeOf({ phone, email, password })).toContain('auth:admin')
    }
  })

  it('reads the password from standard input', async () => {
    const { password, ...person } = newPerson()
    const args = ['--phone', `0${person.phone.slice(4)}`, '--email', person.email.toUpperCase()]
    const { code, out, err } = await operator(args, {}, `${password}\n`)
    expect([code, err]).toEqual([0, ''])
    expect(out).not.toContain(password)
    expect(await scopeOf({ ...person, password })).toContain('auth:admin')
  })

  it('grants scopes to an existing account, and is idempotent', async () => {
    const user = await newUser(auth.client)
    const args = ['--phone', user.phone, '--grant', 'payments:admin']
    const first = await operator(args)
    const second = await operator(args)
    expect(first).toEqual({
      code: 0,
      out: expect.stringContaining(`account ${user.id} has payments:read`),
      err: '',
    })
    expect(second).toEqual(first)
    expect(await scopeOf(user)).toBe(
      'payments:read payments:write payments:settle webhooks:write payments:admin',
    )
  })

  it('records each grant in the audit trail', async () => {
    const { password, ...person } = newPerson()
    await operator(['--phone', person.phone, '--email', person.email], {
      OPERATOR_PASSWORD: password,
    })
    const user = await newUser(auth.client)
    await operator(['--phone', user.phone, '--grant', 'auth:admin'])
    for (const phone of [person.phone, user.phone]) {
      const events = await auth.sql<{ actor: null; agent: string; scopes: string[] }>(
        `SELECT actor_id AS actor, user_agent AS agent, detail -> 'scopes' AS scopes
         FROM audit_events JOIN users ON users.id = user_id
         WHERE kind = 'grant' AND phone = $1`,
        phone,
      )
      expect(events).toEqual([
        {
          actor: null,
          agent: 'operator command',
          scopes: expect.arrayContaining(['auth:admin', 'payments:read']),
        },
      ])
    }
  })

  it('keeps the scopes that were granted before', async () => {
    const user = await newUser(auth.client)
    await operator(['--phone', user.phone, '--grant', 'payments:admin'])
    await operator(['--phone', user.phone, '--grant', 'auth:admin'])
    expect(await scopeOf(user)).toContain('payments:admin auth:admin')
  })

  it('never grants payments:settle in live', async () => {
    const { password, ...person } = newPerson()
    const live = { MODE: 'live', BCRYPT_COST: '10', OPERATOR_PASSWORD: password }
    const { code, out } = await operator(['--phone', person.phone, '--email', person.email], live)
    expect(code).toBe(0)
    expect(out).not.toContain('settle')
    const [row] = await auth.sql<object>('SELECT scopes FROM users WHERE phone = $1', person.phone)
    expect(JSON.stringify(row)).not.toContain('settle')
  })

  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['no phone', [], {}, /operator --phone/],
    ['an unknown option', ['--phone', '+256772123456', '--password', 'x'], {}, /operator --phone/],
    ['an invalid phone', ['--phone', '12'], {}, /--phone must be a phone number/],
    [
      'an unknown scope',
      ['--phone', '+256772123456', '--grant', 'payments:everything'],
      {},
      /"payments:everything" cannot be granted in sandbox/,
    ],
    [
      'payments:settle in live',
      ['--phone', '+256772123456', '--grant', 'payments:settle'],
      { MODE: 'live', BCRYPT_COST: '10' },
      /"payments:settle" cannot be granted in live/,
    ],
    ['no account and no email', ['--phone', newPerson().phone], {}, /pass --email/],
    [
      'an invalid email',
      ['--phone', newPerson().phone, '--email', 'amina'],
      {},
      /--email must be an email address/,
    ],
    [
      'a common password',
      ['--phone', newPerson().phone, '--email', 'amina@example.com'],
      { OPERATOR_PASSWORD: 'password1' },
      /the password must not be a common password/,
    ],
    [
      'no password',
      ['--phone', newPerson().phone, '--email', 'amina@example.com'],
      {},
      /no password was given/,
    ],
    ['a bad environment', ['--phone', '+256772123456'], { JWT_SECRET: 'short' }, /JWT_SECRET must/],
  ])('rejects %s', async (_, args, own, reason) => {
    const { code, out, err } = await operator(args, own)
    expect(err).toMatch(reason)
    expect(err).toMatch(/^operator: /)
    expect([code, out]).toEqual([1, ''])
  })

  it('rejects an email that another account has', async () => {
    const user = await newUser(auth.client)
    const { code, err } = await operator(['--phone', newPerson().phone, '--email', user.email], {
      OPERATOR_PASSWORD: 'words that no attacker guesses',
    })
    expect([code, err]).toEqual([1, 'operator: another account has this email\n'])
  })
})
