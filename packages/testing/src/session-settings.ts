import { randomBytes } from 'node:crypto'
import { runToEnd, type ServiceName } from '@malipo/local/process'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { query } from './database.js'
import { pgBouncer, startPgBouncer } from './pgbouncer.js'

/** Settings of a role that change how PostgreSQL reads or writes values. */
type RoleSettings = Readonly<Record<string, string>>

/** Each differs from its default. Two values of DateStyle, since each writes a time in its own form. */
const UNUSUAL_SETTINGS: Readonly<Record<string, RoleSettings>> = Object.fromEntries(
  ['SQL, DMY', 'German'].map((dateStyle) => [
    dateStyle,
    {
      DateStyle: dateStyle,
      IntervalStyle: 'sql_standard',
      TimeZone: 'Asia/Kathmandu',
      extra_float_digits: '-15',
      bytea_output: 'escape',
      standard_conforming_strings: 'off',
    },
  ]),
)

/** Creates a role with these settings and an empty database that it owns. @returns the database's URL */
async function databaseOfRole(name: string, settings: RoleSettings): Promise<string> {
  const server = inject('postgresUrl')
  const id = `${name}_${randomBytes(4).toString('hex')}`
  const password = randomBytes(16).toString('hex')
  await query(server, `CREATE ROLE ${id} LOGIN PASSWORD '${password}'`)
  for (const [setting, value] of Object.entries(settings)) {
    await query(server, `ALTER ROLE ${id} SET ${setting} TO '${value}'`)
  }
  await query(server, `CREATE DATABASE ${id} OWNER ${id}`)
  const url = new URL(server)
  url.username = id
  url.password = password
  url.pathname = `/${id}`
  return url.href
}

const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/g, '<id>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>'],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<access token>'],
  [/"(iat|exp)":\d+/g, '"$1":0'],
  [/"(?:[\w-]{86}|[\w-]{64}|[\w-]{22})"/g, '"<token>"'],
]

/** The JSON of answers without the values that differ between any two runs: ids, times and tokens. */
export function withoutVaryingValues(answers: unknown): unknown {
  let text = JSON.stringify(answers)
  for (const [pattern, name] of VARYING) text = text.replace(pattern, name)
  return JSON.parse(text)
}

interface Service<Answers> {
  readonly name: ServiceName
  /** Uses all that the service does with a migrated database. */
  readonly answersOn: (databaseUrl: string) => Promise<Answers>
  /** What a working service does not answer: each failure in these answers, as a test prints it. */
  readonly failuresIn: (answers: Answers) => unknown[]
}

/** Tests that a service's answers don't depend on the settings of its role, directly and behind PgBouncer. */
export function describeSettings<Answers>(service: Service<Answers>) {
  describe('the answers are the same', () => {
    let usual: Answers
    beforeAll(async () => void (usual = await answersUnder(service, {})))

    it('and those of a working service', () => expect(service.failuresIn(usual)).toEqual([]))

    it.each(Object.entries(UNUSUAL_SETTINGS))('with the DateStyle %s', async (_, settings) => {
      expect(await answersUnder(service, settings)).toEqual(usual)
    })

    it.skipIf(pgBouncer === undefined).each(Object.entries(UNUSUAL_SETTINGS))(
      'with the DateStyle %s behind PgBouncer in transaction mode',
      async (_, settings) => {
        expect(await answersUnder(service, settings, true)).toEqual(usual)
      },
    )
  })
}

async function answersUnder<Answers>(
  { name, answersOn }: Service<Answers>,
  settings: RoleSettings,
  isPooled = false,
): Promise<Answers> {
  const direct = await databaseOfRole(name, settings)
  const bouncer = isPooled ? await startPgBouncer(direct, { pool_mode: 'transaction' }) : undefined
  const url = bouncer?.url(new URL(direct).pathname.slice(1)) ?? direct
  try {
    await runToEnd({ name, script: 'migrate', env: { DATABASE_URL: url } })
    return withoutVaryingValues(await answersOn(url)) as Answers
  } finally {
    await bouncer?.stop()
  }
}
