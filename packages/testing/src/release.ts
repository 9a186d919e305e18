import { readdirSync } from 'node:fs'
import { query } from './database.js'

/** The database of a release as an SQL file: what its migrations executed, and rows that it wrote. */

/** The releases whose databases are in a folder, and the one to add, if the variable `RELEASE` names one. */
export function releasesIn(folder: URL) {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'))
  return {
    releases: files.map((file) => file.slice(0, -'.sql'.length)),
    added: process.env.RELEASE,
  }
}

/** Migrations of TypeORM that only execute statements. */
type Migrations = readonly (new () => { up(runner: never): Promise<void> })[]

interface Table {
  readonly name: string
  readonly columns: string[]
}

/** Generated columns are computed again. Transaction ids are those of one server, so they get their default. */
const TABLES = `
  SELECT pg_class.oid::regclass::text AS name, array_agg(quote_ident(attname) ORDER BY attnum) AS columns
  FROM pg_class
  JOIN pg_attribute ON attrelid = pg_class.oid
  WHERE relnamespace = 'public'::regnamespace
    AND relkind = 'r'
    AND attnum > 0
    AND NOT attisdropped
    AND attgenerated = ''
    AND atttypid <> 'xid8'::regtype
  GROUP BY pg_class.oid
  ORDER BY pg_class.oid`

/** The table in which TypeORM records the migrations that it has executed. */
const MIGRATIONS = `
CREATE TABLE migrations (
  id          serial             CONSTRAINT "PK_8c82d7f526340ab734260ea46be" PRIMARY KEY,
  "timestamp" bigint             NOT NULL,
  name        character varying  NOT NULL
)`

/**
 * Returns SQL that restores the database at `url`.
 *
 * @param migrations those of the release
 * @param derived tables that the service computes from others
 */
export async function dumpRelease(
  url: string,
  migrations: Migrations,
  derived: readonly string[],
): Promise<string> {
  const tables = (await query<Table>(url, TABLES)).filter(({ name }) => !derived.includes(name))
  const inserts = await Promise.all(tables.map((table) => insertOf(url, table)))
  const statements = [
    MIGRATIONS,
    ...(await statementsOf(migrations)),
    // The rows satisfy foreign keys and triggers, since the service wrote them.
    'SET session_replication_role = replica',
    ...inserts.filter((insert) => insert !== undefined),
    'RESET session_replication_role',
  ]
  return statements.map((statement) => `${statement.trim().replace(/;$/, '')};\n`).join('\n')
}

async function statementsOf(migrations: Migrations): Promise<string[]> {
  const statements: string[] = []
  const runner = { query: async (text: string) => void statements.push(text) }
  for (const Migration of migrations) {
    await new Migration().up(runner as never)
  }
  return statements
}

async function insertOf(url: string, { name, columns }: Table): Promise<string | undefined> {
  const values = columns.map((column) => `quote_nullable(${column}::text)`).join(` || ', ' || `)
  const rows = await query<{ values: string }>(url, `SELECT ${values} AS values FROM ${name}`)
  if (rows.length === 0) return undefined
  const tuples = rows.map((row) => `  (${row.values})`)
  return `INSERT INTO ${name} (${columns.join(', ')}) VALUES\n${tuples.join(',\n')}`
}

const SCHEMA = `
  WITH tables AS (
    SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
  )
  SELECT concat_ws(' ', attrelid::regclass, attname, format_type(atttypid, atttypmod),
                   CASE WHEN attnotnull THEN 'NOT NULL' END, attgenerated, pg_get_expr(adbin, adrelid)) AS line
  FROM pg_attribute
  JOIN tables ON tables.oid = attrelid
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
  FROM pg_constraint JOIN tables ON tables.oid = conrelid
  UNION ALL
  SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN tables ON tables.oid = indrelid
  UNION ALL
  SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN tables ON tables.oid = tgrelid WHERE NOT tgisinternal
  UNION ALL
  SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  ORDER BY line`

/** The columns, constraints, indexes, triggers and functions of a database, each as a line of SQL. */
export async function schemaOf(url: string): Promise<string[]> {
  return (await query<{ line: string }>(url, SCHEMA)).map(({ line }) => line)
}
