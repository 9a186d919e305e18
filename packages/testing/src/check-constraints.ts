/** Reads the CHECK constraints of a database from its catalogue, and evaluates one on many values. */

type Sql = <Row extends object>(text: string, ...values: unknown[]) => Promise<Row[]>

export interface CheckConstraint {
  readonly name: string
  /** The columns that the constraint reads, as `table.column`. */
  readonly columns: readonly string[]
  /** The name and the type of the first column. */
  readonly column: string
  readonly type: string
  readonly expression: string
}

export function checkConstraints(sql: Sql): Promise<CheckConstraint[]> {
  return sql<CheckConstraint>(`
    SELECT
      conname AS name,
      array_agg(relname || '.' || attname ORDER BY attnum) AS columns,
      (array_agg(attname ORDER BY attnum))[1] AS column,
      (array_agg(format_type(atttypid, atttypmod) ORDER BY attnum))[1] AS type,
      pg_get_expr(conbin, conrelid) AS expression
    FROM pg_constraint
    JOIN pg_class ON pg_class.oid = conrelid
    JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    GROUP BY conname, conbin, conrelid
    ORDER BY conname`)
}

/** The values that violate a constraint of one column; a value is in the text form of the column's type. */
export async function violations(
  sql: Sql,
  { column, type, expression }: CheckConstraint,
  values: readonly string[],
): Promise<string[]> {
  const rows = await sql<{ value: string }>(
    `SELECT value
     FROM (SELECT value, value::${type} AS "${column}" FROM unnest($1::text[]) AS value) AS rows
     WHERE NOT (${expression})`,
    values,
  )
  return rows.map(({ value }) => value)
}
