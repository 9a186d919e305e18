import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { eventually } from '../cluster.ts'
import { freeze, thaw, treeOf } from '../processes/freeze.ts'
import { ROLE } from '../processes/servers.ts'
import type { Cell } from './cell.ts'
import type { Platform } from './platform.ts'

/** States of a PostgreSQL that is up but does not serve the services, or not all of them. */

const DATABASES = ['auth', 'payments'] as const
const ROLE_NAME = ROLE.name
const FREEZE_MS = 20_000

/** Runs statements in each database. */
async function each(platform: Platform, text: string) {
  for (const database of DATABASES) await platform.servers.sql(database, text)
}

const inBoth = (text: string) => (platform: Platform) => each(platform, text)
const inEach =
  (auth: string, payments: string) =>
  async ({ servers: { sql } }: Platform) => {
    await Promise.all([sql('auth', auth), sql('payments', payments)])
  }

/** New connections see changed settings and rights; the services' open ones are closed. */
const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE_NAME}'`

const onRole = (change: string) => async (platform: Platform) => {
  await platform.servers.sql('postgres', `ALTER ROLE ${ROLE_NAME} ${change}`)
  await platform.servers.sql('postgres', TERMINATE)
}
/** A change of the role that is undone without another loss of connections. */
const role = (name: string, change: string, undo: string, more: Partial<Cell> = {}): Cell => ({
  name: `PostgreSQL: ${name}`,
  inject: onRole(change),
  repair: ({ servers: { sql } }) => sql('postgres', `ALTER ROLE ${ROLE_NAME} ${undo}`),
  ...more,
})
const setting = (name: string, settings: Record<string, string>, short = false): Cell => ({
  name: `PostgreSQL: ${name}`,
  inject: async (platform) => {
    for (const [key, value] of Object.entries(settings)) {
      await platform.servers.sql('postgres', `ALTER ROLE ${ROLE_NAME} SET ${key} = '${value}'`)
    }
    await platform.servers.sql('postgres', TERMINATE)
  },
  repair: onRole('RESET ALL'),
  // Its connections are closed at the start and at the end.
  outages: 2,
  served: true,
  short,
})

const WRITTEN = ['payments', 'payment_events', 'idempotency_keys', 'sessions', 'revocation_outbox']
const FULL = `
  CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
  END $$;
  ${WRITTEN.map(
    (table) => `
    DO $$ BEGIN
      IF to_regclass('${table}') IS NOT NULL THEN
        CREATE TRIGGER a_disk_full BEFORE INSERT OR UPDATE ON ${table}
          FOR EACH STATEMENT EXECUTE FUNCTION disk_full();
      END IF;
    END $$;`,
  ).join('')}`

let lockers: Client[] = []

async function lockTables(platform: Platform) {
  lockers = await Promise.all(DATABASES.map((database) => platform.servers.connect(database)))
  const tables = ['sessions', 'payments']
  await Promise.all(
    lockers.map(async (locker, n) => {
      await locker.query('BEGIN')
      await locker.query(`LOCK TABLE ${tables[n]} IN ACCESS EXCLUSIVE MODE`)
    }),
  )
}

async function postmaster({ servers: { sql } }: Platform): Promise<number> {
  const [pid] = await sql(
    'postgres',
    `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)`,
  )
  return Number(pid)
}

let frozen: readonly number[] = []

export const POSTGRES_CELLS: readonly Cell[] = [
  {
    name: 'PostgreSQL: frozen for 20 s',
    inject: async (platform) => (frozen = freeze(treeOf(await postmaster(platform)))),
    repair: () => thaw(frozen),
    holdMs: FREEZE_MS,
  },
  {
    name: 'PostgreSQL: frozen for 6 s',
    inject: async (platform) => (frozen = freeze(treeOf(await postmaster(platform)))),
    repair: () => thaw(frozen),
    holdMs: 6_000,
    short: true,
  },
  {
    name: 'PostgreSQL: read-only',
    inject: async ({ servers: { sql } }) => {
      await sql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on')
      await sql('postgres', 'SELECT pg_reload_conf()')
    },
    repair: async ({ servers: { sql } }) => {
      await sql('postgres', 'ALTER SYSTEM RESET default_transaction_read_only')
      await sql('postgres', 'SELECT pg_reload_conf()')
    },
    short: true,
  },
  role('no free connection (53300)', 'CONNECTION LIMIT 0', 'CONNECTION LIMIT -1', { short: true }),
  role('wrong password (28P01)', `PASSWORD 'another'`, `PASSWORD '${ROLE.password}'`),
  role('role without login (28000)', 'NOLOGIN', 'LOGIN'),
  {
    name: 'PostgreSQL: database renamed (3D000)',
    inject: async ({ servers: { sql } }) => {
      for (const database of DATABASES) {
        await sql('postgres', `ALTER DATABASE ${database} ALLOW_CONNECTIONS false`)
        await sql('postgres', TERMINATE)
        await eventually(
          'the database has no connection',
          () => sql('postgres', `ALTER DATABASE ${database} RENAME TO renamed_${database}`),
          { everyMs: 50, limitMs: 5_000 },
        )
      }
    },
    repair: async ({ servers: { sql } }) => {
      for (const database of DATABASES) {
        await sql('postgres', `ALTER DATABASE renamed_${database} RENAME TO ${database}`)
        await sql('postgres', `ALTER DATABASE ${database} ALLOW_CONNECTIONS true`)
      }
    },
  },
  {
    name: 'PostgreSQL: database accepts no connections (55000)',
    inject: async ({ servers: { sql } }) => {
      for (const database of DATABASES) {
        await sql('postgres', `ALTER DATABASE ${database} ALLOW_CONNECTIONS false`)
      }
      await sql('postgres', TERMINATE)
    },
    repair: async ({ servers: { sql } }) => {
      for (const database of DATABASES) {
        await sql('postgres', `ALTER DATABASE ${database} ALLOW_CONNECTIONS true`)
      }
    },
  },
  {
    name: 'PostgreSQL: rights of the role missing (42501)',
    inject: inEach(
      `REVOKE UPDATE ON sessions FROM ${ROLE_NAME}`,
      `REVOKE INSERT ON payments FROM ${ROLE_NAME}`,
    ),
    repair: inEach(
      `GRANT UPDATE ON sessions TO ${ROLE_NAME}`,
      `GRANT INSERT ON payments TO ${ROLE_NAME}`,
    ),
  },
  {
    name: 'PostgreSQL: table missing (42P01)',
    inject: inEach('ALTER TABLE sessions RENAME TO gone', 'ALTER TABLE payments RENAME TO gone'),
    repair: inEach('ALTER TABLE gone RENAME TO sessions', 'ALTER TABLE gone RENAME TO payments'),
  },
  {
    name: 'PostgreSQL: columns widened (0A000)',
    inject: inEach(
      `ALTER TABLE users ALTER phone TYPE varchar;
       ALTER TABLE sessions ALTER revocation_cause TYPE varchar`,
      `ALTER TABLE payments ALTER provider_transaction_id TYPE varchar;
       ALTER TABLE payment_events ALTER provider_transaction_id TYPE varchar;
       ALTER TABLE idempotency_keys ALTER response_status TYPE integer`,
    ),
    repair: inEach(
      `ALTER TABLE users ALTER phone TYPE text;
       ALTER TABLE sessions ALTER revocation_cause TYPE text`,
      `ALTER TABLE payments ALTER provider_transaction_id TYPE text;
       ALTER TABLE payment_events ALTER provider_transaction_id TYPE text;
       ALTER TABLE idempotency_keys ALTER response_status TYPE smallint`,
    ),
    outages: 2,
    served: true,
    short: true,
  },
  {
    name: 'PostgreSQL: tables locked',
    inject: lockTables,
    repair: () => Promise.all(lockers.map((locker) => locker.end())),
    short: true,
  },
  setting('DateStyle German', { DateStyle: 'German' }, true),
  setting('DateStyle SQL', { DateStyle: 'SQL, DMY' }),
  setting('other settings of the role', {
    IntervalStyle: 'sql_standard',
    TimeZone: 'Asia/Kathmandu',
    extra_float_digits: '-15',
    bytea_output: 'escape',
    standard_conforming_strings: 'off',
  }),
  {
    name: 'PostgreSQL: disk full (53100)',
    inject: inBoth(FULL),
    repair: inBoth('DROP FUNCTION disk_full CASCADE'),
  },
  {
    name: 'PostgreSQL: all connections terminated',
    inject: async ({ servers: { sql } }) => {
      for (let n = 0; n < 4; n++) {
        await sql('postgres', TERMINATE)
        await sleep(500)
      }
    },
    repair: () => undefined,
    holdMs: 0,
    outages: 4,
    served: true,
  },
  {
    name: 'PostgreSQL: fast restart',
    inject: ({ servers: { postgres } }) => postgres.restart(),
    repair: () => undefined,
    holdMs: 0,
    served: true,
  },
  {
    name: 'PostgreSQL: down',
    inject: ({ servers: { postgres } }) => postgres.stop(),
    repair: ({ servers: { postgres } }) => postgres.restart(),
  },
  {
    name: 'PostgreSQL: killed (SIGKILL) and restarted',
    inject: async (platform) => {
      for (const pid of treeOf(await postmaster(platform))) process.kill(pid, 'SIGKILL')
      await sleep(1_000)
      await platform.servers.postgres.restart()
    },
    repair: () => undefined,
    holdMs: 0,
    served: true,
  },
]
