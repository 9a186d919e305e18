import type { Problem } from '../http/problem.js'
import { validationProblem } from '../http/validation.js'

/** The fields of requests that fill a column with a CHECK constraint, by the constraint's name. */
export type ClientChecks = Readonly<Record<string, string>>

/** SQLSTATE check_violation (PostgreSQL, appendix A). */
const CHECK_VIOLATION = '23514'

/** The name of a violated constraint among `checks`; undefined for any other error. */
export function violatedCheck(error: unknown, checks: ClientChecks): string | undefined {
  const { code, constraint } = (error ?? {}) as { code?: unknown; constraint?: unknown }
  if (code !== CHECK_VIOLATION || typeof constraint !== 'string') return undefined
  return Object.hasOwn(checks, constraint) ? constraint : undefined
}

/** A 400 that names the field: the DTO has accepted a value that the column does not allow. */
export function checkProblem(constraint: string, checks: ClientChecks): Problem {
  return validationProblem([{ field: checks[constraint] ?? '', message: 'is not allowed' }])
}
