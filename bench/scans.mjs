const LARGE_TABLES = /^(payments|payment_events|payment_attempts|attempt_events|provider_messages)$/

/**
 * The tables that each statement scans sequentially, among those that grow.
 *
 * @param {import('pg').Client} client
 * @param {Iterable<readonly [string, string]>} statements names and texts
 */
export async function sequentialScans(client, statements) {
  /** @type {Record<string, string>} */
  const scans = {}
  for (const [name, text] of statements) {
    const { rows } = await client.query(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`)
    const tables = scanned(rows[0]['QUERY PLAN'][0].Plan).filter((table) =>
      LARGE_TABLES.test(table),
    )
    scans[name] = tables.length === 0 ? 'none' : tables.join(', ')
  }
  return scans
}

/** The tables of sequential scans. @param {any} plan @returns {string[]} */
function scanned(plan) {
  const own = plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name']] : []
  return [...own, ...(plan.Plans ?? []).flatMap(scanned)]
}
