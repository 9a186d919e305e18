import { hash } from 'node:crypto'

/** The rules of `Idempotency-Key` that need no database. */

const KEY = /^[\x20-\x7e]{1,255}$/

/** Whether a header's value may be a key: 1 to 255 printable ASCII characters. */
export function isKey(text: string): boolean {
  return KEY.test(text)
}

/**
 * What makes two requests with one key the same: their parsed bodies and conditions, so that `5000` and
 * `"5000"` don't differ, nor does the order of fields. Values are what JSON has, and bigints.
 */
export function fingerprint(request: unknown): Buffer {
  return hash('sha256', canonical(request), 'buffer')
}

/** JSON with sorted keys and without the fields that are not set. */
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
