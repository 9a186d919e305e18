import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { columnsWith } from '@malipo/testing/personal-data'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newMerchant } from './api-keys.js'
import {
  type Auth,
  environment,
  newOperator,
  newPerson,
  newUser,
  openSession,
  type Person,
  startAuth,
} from './auth.js'

/** The built `erase` command, on what the service has stored. */

const SCRIPT = join(import.meta.dirname, '../dist/cli/erase.js')
const KEY = 'a key of pseudonyms, long enough for HMAC'

function keysFile(...keys: string[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'malipo-erasure-')), 'keys')
  writeFileSync(path, keys.join('\n'))
  return path
}

const ERASURE_KEYS_FILE = keysFile(KEY)
const AGENT = { 'user-agent': 'the browser of a person' }

let auth: Auth
let operator: Awaited<ReturnType<typeof newOperator>>
beforeAll(async () => {
  auth = await startAuth()
  operator = await newOperator(auth, 'auth:admin')
})
afterAll(() => auth.close())

/** Runs the built command with the role that owns the tables, unless `own` has another. */
function erase(args: string[], own: Record<string, string | undefined> = {}) {
  const env = environment({ DATABASE_URL: auth.databaseUrl, ERASURE_KEYS_FILE, ...own })
  const child = spawn(process.execPath, [SCRIPT, ...args], { env })
  return new Promise<{ code: number | null; lines: string[]; err: string }>((resolve) => {
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, lines: out.split('\n').filter(Boolean), err }))
  })
}

const close = async (id: string) => {
  const answer = await auth.client.send('POST', `/api/auth/merchants/${id}/close`, {
    token: operator.token,
  })
  expect(answer.status).toBe(204)
}

const digitsOf = ({ phone }: Pick<Person, 'phone'>) => phone.slice(4)

/** A closed account with sessions, a failed login, an API key and their audit events. */
async function newHistory() {
  const merchant = await newMerchant(auth)
  const { user } = merchant
  await merchant.newKey({ name: `the server of ${user.email}`, scopes: ['payments:write'] })
  await auth.client.send('POST', '/api/auth/login', {
    body: { phone: user.phone, password: user.password },
    headers: AGENT,
  })
  await auth.client.send('POST', '/api/auth/login', {
    body: { phone: user.phone, password: 'a wrong password' },
    headers: AGENT,
  })
  await auth.sql(`UPDATE sessions SET user_agent = $2 WHERE user_id = $1`, merchant.sub, user.email)
  await close(merchant.sub)
  return { ...user, id: merchant.sub }
}

/** What an erasure must not change. */
const facts = () =>
  auth.sql(
    `SELECT json_agg(to_jsonb(event) - '{address,user_agent}'::text[] #- '{detail,name}' ORDER BY id) AS events,
       (SELECT json_agg(to_jsonb(session) - '{address,user_agent}'::text[] ORDER BY id)
        FROM sessions AS session) AS sessions,
       (SELECT json_agg(to_jsonb(key) - 'name' ORDER BY id) FROM api_keys AS key) AS keys,
       (SELECT json_agg(to_jsonb(merchant) ORDER BY id) FROM merchants AS merchant) AS merchants,
       (SELECT json_agg(to_jsonb(users) - '{phone,email,password_hash}'::text[] ORDER BY id)
        FROM users) AS users
     FROM audit_events AS event WHERE kind <> 'erasure'`,
  )

const origins = (id: string) =>
  auth.sql(
    `SELECT id FROM audit_events
     WHERE coalesce(actor_id, user_id) = $1 AND num_nonnulls(address, user_agent) > 0
     UNION ALL
     SELECT id FROM sessions WHERE user_id = $1 AND num_nonnulls(address, user_agent) > 0`,
    id,
  )

describe('the erase command', () => {
  it('leaves no phone, email and origin of a user in any column, and all facts as they were', async () => {
    const user = await newHistory()
    const other = await newHistory()
    const find = (of: Person) => columnsWith(auth.databaseUrl, digitsOf(of), of.email)
    const holding = [
      'api_keys.name',
      'audit_events.detail',
      'sessions.user_agent',
      'users.email',
      'users.phone',
    ]
    expect((await find(user)).toSorted()).toEqual(holding)
    expect((await origins(user.id)).length).toBeGreaterThan(3)
    const before = await facts()

    const dry = await erase(['--phone', user.phone])
    expect([dry.code, dry.err]).toEqual([0, ''])
    expect(dry.lines.at(-1)).toMatch(/^dry run: \d+ rows of account \S+ would change; pass --apply/)
    expect((await find(user)).toSorted()).toEqual(holding)

    const applied = await erase(['--phone', user.phone, '--apply'])
    expect([applied.code, applied.err]).toEqual([0, ''])
    expect(applied.lines.slice(0, -1)).toEqual(dry.lines.slice(0, -1))
    expect(applied.lines).toEqual(expect.arrayContaining(['users 1', 'api_keys 1']))
    expect(applied.lines.at(-1)).toMatch(/^erased account \S+: \d+ rows changed$/)
    expect(applied.lines.join()).not.toContain(digitsOf(user))
    expect(await find(user)).toEqual([])
    expect(await origins(user.id)).toEqual([])
    expect((await origins(other.id)).length).toBeGreaterThan(3)
    expect((await find(other)).toSorted()).toEqual(holding)
    expect(await facts()).toEqual(before)

    const [stored] = await auth.sql<{ phone: string; email: string }>(
      'SELECT phone, email FROM users WHERE id = $1',
      user.id,
    )
    expect(stored).toEqual({
      phone: expect.stringMatching(/^\+999\d{12}$/),
      email: expect.stringMatching(/^[\da-f]{32}@erased\.invalid$/),
    })
    const events = await auth.client.get(`/api/auth/audit?kind=erasure&userId=${user.id}`, {
      token: operator.token,
    })
    expect(events.body.data).toMatchObject([{ detail: { phone: stored?.phone }, address: null }])

    for (const by of [
      ['--phone', user.phone],
      ['--id', user.id],
    ]) {
      const again = await erase([...by, '--apply'])
      expect([again.code, again.lines.at(-1)]).toEqual([
        0,
        `erased account ${user.id}: 0 rows changed`,
      ])
    }
  })

  it('rejects logins with the old phone, which another account may then have', async () => {
    const user = await newHistory()
    await erase(['--id', user.id, '--apply'])
    const { phone, email, password } = user
    const login = await auth.client.post('/api/auth/login', { phone, password })
    expect(login.status).toBe(401)
    const registered = await auth.client.post('/api/auth/register', { phone, email, password })
    expect(registered.status).toBe(201)

    // The same person is erased again: the phones of two accounts differ.
    await close(registered.body.id as string)
    const second = await erase(['--id', registered.body.id as string, '--apply'])
    expect([second.code, second.err]).toEqual([0, ''])
    const phones = await auth.sql<{ phone: string }>(
      'SELECT phone FROM users WHERE id = ANY ($1)',
      [user.id, registered.body.id],
    )
    expect(new Set(phones.map((each) => each.phone)).size).toBe(2)
    const again = await erase(['--phone', phone, '--apply'])
    expect(again.lines.at(-1)).toMatch(/^erased account \S+, \S+: 0 rows changed$/)
    const rotated = { ERASURE_KEYS_FILE: keysFile('another key of pseudonyms, long enough', KEY) }
    const later = await erase(['--phone', phone, '--apply'], rotated)
    expect(later.lines.at(-1)).toMatch(/: 0 rows changed$/)
  })

  it('removes the counted password attempts of the phone', async () => {
    const user = await newHistory()
    const counted = `SELECT FROM login_attempts WHERE subject = sha256(convert_to('account ' || $1, 'UTF8'))`
    expect(await auth.sql(counted, user.phone)).toHaveLength(1)
    await erase(['--id', user.id, '--apply'])
    expect(await auth.sql(counted, user.phone)).toHaveLength(0)
  })

  it('erases more events than fit into a batch, and continues after an interruption', async () => {
    const user = await newHistory()
    await auth.sql(
      `INSERT INTO audit_events (kind, user_id, address)
       SELECT 'login_failure', $1, '192.0.2.1' FROM generate_series(1, 450)`,
      user.id,
    )
    const [last] = await auth.sql<{ id: string }>(
      'SELECT id FROM audit_events WHERE user_id = $1 ORDER BY id DESC LIMIT 1',
      user.id,
    )
    await auth.sql(
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
       CREATE TRIGGER fail BEFORE UPDATE ON audit_events
         FOR EACH ROW WHEN (OLD.id = '${last?.id}') EXECUTE FUNCTION fail()`,
    )
    const failed = await erase(['--phone', user.phone, '--apply'])
    await auth.sql('DROP FUNCTION fail CASCADE')
    expect([failed.code, failed.err]).toEqual([1, 'erase: the disk is full\n'])
    const left = (await origins(user.id)).length
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(200)
    // And the name of the API key.
    const { lines } = await erase(['--phone', user.phone, '--apply'])
    expect(lines).toContain(`audit_events ${left + 1}`)
    expect(await origins(user.id)).toEqual([])
  })

  it('is refused for an account that is open', async () => {
    const user = await newUser(auth.client)
    const { code, lines, err } = await erase(['--id', user.id, '--apply'])
    expect([code, lines]).toEqual([1, []])
    expect(err).toBe(`erase: account ${user.id} is open: close its merchant first\n`)
    expect((await openSession(auth.client, user)).sub).toBe(user.id)
  })

  it.each<[string, string[], Record<string, string | undefined>, RegExp]>([
    ['no person', [], {}, /^erase: erase --id/],
    ['two persons', ['--id', 'x', '--phone', '0772000000'], {}, /^erase: erase --id/],
    ['no id', ['--id', 'x'], {}, /^erase: --id must be a UUID/],
    ['no phone', [], { ERASE_PHONE: 'amina' }, /^erase: --phone must be a phone number/],
    [
      'an unknown phone',
      ['--phone', newPerson().phone],
      {},
      /^erase: no account has this id or phone/,
    ],
    ['no key', ['--phone', '0772000000'], { ERASURE_KEYS_FILE: undefined }, /ERASURE_KEYS_FILE/],
  ])('is rejected with %s', async (_, args, own, message) => {
    const { code, lines, err } = await erase(args, own)
    expect([code, lines]).toEqual([1, []])
    expect(err).toMatch(message)
  })
})

describe('the audit trail, with malipo.erasure on', () => {
  beforeAll(() => newHistory())

  async function whileErasing(statement: string) {
    const client = new Client({ connectionString: auth.databaseUrl })
    await client.connect()
    try {
      await client.query(`BEGIN; SET LOCAL malipo.erasure = 'on'; ${statement}`)
    } finally {
      await client.end()
    }
  }

  const ERASE = 'UPDATE audit_events SET address = NULL, user_agent = NULL'
  const NAME = `SET detail = jsonb_set(detail, '{name}', '"erased"')`

  it('allows the owner of the table to remove origins and names', async () => {
    await whileErasing(ERASE)
    await whileErasing(`UPDATE audit_events ${NAME} WHERE detail ? 'name'`)
    await expect(auth.sql(ERASE)).rejects.toMatchObject({ code: '23000' })
  })

  it.each([
    `UPDATE audit_events SET address = '192.0.2.1'`,
    `UPDATE audit_events SET user_agent = 'x'`,
    `UPDATE audit_events ${NAME} || '{"scopes": []}' WHERE detail ? 'name'`,
    `UPDATE audit_events SET detail = detail || '{"name": "x"}' WHERE detail ? 'name'`,
    `UPDATE audit_events SET detail = detail - 'name' WHERE detail ? 'name'`,
    `UPDATE audit_events ${NAME}`,
    `${ERASE}, at = now()`,
    `${ERASE}, kind = 'login'`,
    `${ERASE}, user_id = NULL`,
    `${ERASE}, actor_id = NULL`,
    `${ERASE}, session_id = gen_random_uuid()`,
    `${ERASE}, detail = '{"a": 1}'`,
    'DELETE FROM audit_events',
    'TRUNCATE audit_events',
  ])('rejects %s', async (statement) => {
    await expect(whileErasing(statement)).rejects.toMatchObject({ code: '23000' })
  })

  it('rejects a change of a column that is added later', async () => {
    await auth.sql('ALTER TABLE audit_events ADD COLUMN later text')
    try {
      await expect(whileErasing(`${ERASE}, later = 'x'`)).rejects.toMatchObject({ code: '23000' })
    } finally {
      await auth.sql('ALTER TABLE audit_events DROP COLUMN later')
    }
  })

  it('rejects the removal by a role that has all privileges', async () => {
    const role = `eraser_${Math.random().toString(36).slice(2)}`
    await auth.sql(`CREATE ROLE ${role}; GRANT ALL ON audit_events TO ${role}`)
    try {
      const setting = `SET LOCAL malipo.retention = 'on'; SET LOCAL ROLE ${role};`
      // A temporary table is found before those of `pg_catalog`, unless their names are qualified.
      const pretended = `
        CREATE TEMPORARY TABLE pg_class AS
        SELECT oid, (SELECT oid FROM pg_roles WHERE rolname = current_user) AS relowner
        FROM pg_catalog.pg_class;`
      for (const statement of [ERASE, pretended + ERASE, `${pretended} DELETE FROM audit_events`]) {
        await expect(whileErasing(setting + statement)).rejects.toMatchObject({
          constraint: 'audit_events_are_append_only',
        })
      }
    } finally {
      await auth.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
})
