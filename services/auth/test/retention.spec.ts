import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { minUuidAt } from '@malipo/kit/postgres/uuid-v7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, environment, startAuth } from './auth.js'

const SCRIPT = join(import.meta.dirname, '../dist/cli/retention.js')
const DAY_MS = 86_400_000

let auth: Auth
beforeAll(async () => void (auth = await startAuth()))
afterAll(() => auth.close())

/** Runs the built `retention` command with the role that owns the tables. */
function retention(own: Record<string, string | undefined>) {
  const env = environment({ DATABASE_URL: auth.databaseUrl, ...own })
  const child = spawn(process.execPath, [SCRIPT], { env })
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

/** Inserts audit events of this age; their ids contain the same time. */
async function insertEvents(count: number, ageDays: number) {
  const at = new Date(Date.now() - ageDays * DAY_MS)
  await auth.sql(
    `INSERT INTO audit_events (id, kind, at)
     SELECT ($1 || substr(gen_random_uuid()::text, 20))::uuid, 'login_failure', $2
     FROM generate_series(1, $3) AS n`,
    minUuidAt(at).slice(0, 19),
    at,
    count,
  )
}

const ages = async () => {
  const events = await auth.sql<{ days: number; count: number }>(
    `SELECT round(extract(epoch FROM now() - at) / 86400)::integer AS days, count(*)::integer
     FROM audit_events GROUP BY 1 ORDER BY 1`,
  )
  return Object.fromEntries(events.map(({ days, count }) => [days, count]))
}

describe('the retention command', () => {
  it('deletes exactly the events older than AUDIT_RETENTION_DAYS, in batches', async () => {
    await insertEvents(2_300, 91)
    await insertEvents(40, 89)
    await insertEvents(5, 0)
    expect(await retention({ AUDIT_RETENTION_DAYS: '90' })).toEqual({
      code: 0,
      out: 'deleted 2300 audit events older than 90 days\n',
      err: '',
    })
    expect(await ages()).toEqual({ 0: 5, 89: 40 })
  })

  it.each([undefined, '0', 'never'])(
    'deletes nothing for AUDIT_RETENTION_DAYS=%s',
    async (days) => {
      const before = await ages()
      const { code, err } = await retention({ AUDIT_RETENTION_DAYS: days })
      expect(code).toBe(1)
      expect(err).toMatch(/^retention: AUDIT_RETENTION_DAYS /)
      expect(await ages()).toEqual(before)
    },
  )

  it('fails with the role of the service, even if it could delete', async () => {
    const role = `service_${Math.random().toString(36).slice(2)}`
    await auth.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`)
    await auth.sql(`GRANT SELECT, DELETE ON audit_events TO ${role}`)
    await insertEvents(3, 200)
    const url = new URL(auth.databaseUrl)
    Object.assign(url, { username: role, password: 'secret' })
    const before = await ages()
    const { code, err } = await retention({ DATABASE_URL: url.href, AUDIT_RETENTION_DAYS: '90' })
    expect([code, err]).toEqual([1, expect.stringContaining('audit_events is append-only')])
    expect(await ages()).toEqual(before)
  })
})
