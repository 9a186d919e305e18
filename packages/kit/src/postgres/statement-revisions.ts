import type { Statement } from './statement.js'

type Text = Pick<Statement, 'name' | 'text'>

/**
 * Statements whose prepared form PostgreSQL refuses since a migration has changed a type that they return. A
 * comment makes the text differ, and the name with it, so that every connection prepares the statement again.
 * Closing connections is not enough: PgBouncer would reuse the old form on its own, by the text.
 */
export class StatementRevisions {
  private readonly latest = new Map<string, Text>()
  private count = 0

  current(statement: Statement): Text {
    return this.latest.get(statement.name) ?? statement
  }

  /** @param refused the name under which the statement was prepared; it may have been replaced meanwhile */
  replace(statement: Statement, refused: string) {
    if (this.current(statement).name !== refused) return
    const revision = ++this.count
    const name = `${statement.name}_${revision}`
    this.latest.set(statement.name, { name, text: `${statement.text}\n-- ${revision}` })
  }
}
