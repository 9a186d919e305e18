import { hash } from 'node:crypto'

/** The rules of Idempotency-Key as pure functions. */

const KEY = /^[\x20-\x7e]{1,255}$/

/** Whether a header is a key: 1 to 255 printable ASCII characters. */
export function isKey(header: string): boolean {
  return KEY.test(header)
}

/**
 * Equal for two requests with the same meaning. It is computed from the parsed body and conditions, so `5000`
 * equals `"5000"` and the order of fields does not matter. Values are JSON values or bigints.
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
