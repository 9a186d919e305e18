import type { DataSource } from 'typeorm'
import { withTimeout } from '../worker/with-timeout.js'
import { type OutageKind, outageKind } from './outage-kind.js'
import { poolOf, QUERY_TIMEOUT_MS } from './pool-options.js'

/** Shorter than the time limit of a probe of `/health`. */
const WAIT_MS = 400

/** `to_regclass` is null for a table that does not exist or whose schema this role may not use. */
const STATE = `
SELECT
  current_setting('transaction_read_only') = 'on' AS "isReadOnly",
  bool_or(to_regclass(name) IS NULL) AS "isMissing",
  bool_and(has_table_privilege(to_regclass(name), 'SELECT')) AS "isReadable"
FROM unnest($1::text[]) AS name`

interface State {
  readonly isReadOnly: boolean
  readonly isMissing: boolean
  readonly isReadable: boolean
}

/** Checks what a process needs of its database. */
export class DatabaseProblem {
  /** Checks that hang must not take one connection after another. */
  private current: Promise<OutageKind | 'none'> | undefined

  constructor(private readonly dataSource: DataSource) {}

  /** The kind of the problem; undefined if there is none. */
  async find(): Promise<OutageKind | undefined> {
    this.current ??= this.check().finally(() => (this.current = undefined))
    const found = await withTimeout(this.current, WAIT_MS)
    return found === 'none' ? undefined : (found ?? outageKind(poolOf(this.dataSource).failure))
  }

  private async check(): Promise<OutageKind | 'none'> {
    const values = [this.dataSource.entityMetadatas.map(({ tableName }) => tableName)]
    const query = { text: STATE, values, query_timeout: QUERY_TIMEOUT_MS }
    try {
      const { rows } = await poolOf(this.dataSource).query<State>(query)
      const [state] = rows
      if (state?.isReadOnly) return 'read-only'
      if (state?.isMissing) return 'missing schema'
      return state?.isReadable ? 'none' : 'missing right'
    } catch (error) {
      return outageKind(error)
    }
  }
}
