import { Client } from 'pg'

/** Every column of every table, also of those that are added later. */
const COLUMNS = `
  SELECT table_name AS table, column_name AS column, data_type AS type
  FROM information_schema.columns
  JOIN information_schema.tables USING (table_schema, table_name)
  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
  ORDER BY table_name, ordinal_position`

interface Column {
  readonly table: string
  readonly column: string
  readonly type: string
}

/**
 * Searches a database for values, such as the digits of a phone, in any case.
 *
 * @returns the columns that contain one, as `table.column`
 */
export async function columnsWith(url: string, ...values: string[]): Promise<string[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: columns } = await client.query<Column>(COLUMNS)
    const found: string[] = []
    for (const { table, column, type } of columns) {
      const text = type === 'bytea' ? `encode("${column}", 'escape')` : `"${column}"::text`
      const { rowCount } = await client.query(
        `SELECT FROM "${table}"
         WHERE EXISTS (SELECT FROM unnest($1::text[]) AS value WHERE strpos(lower(${text}), value) > 0)
         LIMIT 1`,
        [values.map((value) => value.toLowerCase())],
      )
      if (rowCount) found.push(`${table}.${column}`)
    }
    return found
  } finally {
    await client.end()
  }
}
