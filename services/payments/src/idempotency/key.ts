import { hash } from 'node:crypto'
import { validationProblem } from '@malipo/kit/http/validation'

/**
 * The Idempotency-Key of a request, scoped to the merchant (for an operator, to the operator), method and path. So the
 * old and the new API key share it during a rotation.
 */
export interface IdempotencyKey {
  readonly key: string
  /** Method and path. */
  readonly route: string
  /** SHA-256 of the parsed request. */
  readonly fingerprint: Buffer
}

/**
 * Reads the Idempotency-Key header.
 *
 * @param request the parsed body and conditions, from which the fingerprint is computed
 * @throws Problem 400 for a malformed key
 */
export function readKey(
  header: string | undefined,
  route: string,
  request: unknown,
): IdempotencyKey | undefined {
  if (header === undefined) return undefined
  if (/^[\x20-\x7e]{1,255}$/.test(header)) {
    return { key: header, route, fingerprint: fingerprint(request) }
  }
  const message = 'must be 1 to 255 printable ASCII characters'
  throw validationProblem([{ field: 'Idempotency-Key', message }])
}

/**
 * A hash that is equal for requests with the same meaning. Its input is the parsed body and conditions:
 * `5000` equals `"5000"`, and the order of fields does not matter. Values are JSON values or bigints.
 */
export function fingerprint(request: unknown): Buffer {
  return hash('sha256', canonical(request), 'buffer')
}

/** JSON with sorted keys and without null or undefined fields. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, inner]) => inner !== undefined && inner !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`)
  return `{${fields.join()}}`
}
