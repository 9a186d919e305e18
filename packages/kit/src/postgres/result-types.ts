import pg from 'pg'

/** Types whose text depends on a setting of the session, by OID (pg_type.dat), with a form that does not. */
const UNSTABLE = new Map<number, string>()
for (const [oids, form] of [
  // DateStyle and TimeZone.
  [[1082, 1114, 1184, 1182, 1115, 1185], 'isoTime(…)'],
  // IntervalStyle.
  [[1186, 1187], 'extract(epoch FROM …)'],
  // extra_float_digits.
  [[700, 701, 1021, 1022], 'numeric or bigint'],
  // bytea_output.
  [[17, 1001], `encode(…, 'hex')`],
] as const) {
  for (const oid of oids) UNSTABLE.set(oid, form)
}

type Oid = Parameters<typeof pg.types.getTypeParser>[0]

/**
 * The parsers of results. A role or a database may have other settings than the defaults, and behind a pooler in
 * transaction mode the service can't change them for its session. So a result may have only types whose text is
 * the same under all settings: a statement that returns another type fails, in its first test.
 */
export const stableTypes = {
  getTypeParser(oid: Oid, format?: 'text' | 'binary') {
    const form = UNSTABLE.get(oid)
    if (form === undefined) return pg.types.getTypeParser(oid, format)
    return () => {
      throw new Error(`The text of type ${oid} depends on the session: return ${form}`)
    }
  },
}
