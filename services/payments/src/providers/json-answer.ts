import { isUtf8 } from 'node:buffer'
import { mayRound, numberText, parseWithDigits } from '@malipo/kit/http/json-number'
import { isStorable } from '@malipo/kit/http/storable-text'

/** Total reading of JSON that a provider sent: whatever the bytes are, nothing throws. */

export type JsonObject = Readonly<Record<string, unknown>>

const BYTE_ORDER_MARK = /^\uFEFF/

/** The text of a body; undefined if it is not UTF-8. */
export function textOfBody(body: Uint8Array): string | undefined {
  if (!isUtf8(body)) return undefined
  const { buffer, byteOffset, byteLength } = body
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8').replace(BYTE_ORDER_MARK, '')
}

/** The object of a body; undefined for anything else. A number that a double would change has all its digits. */
export function objectOf(body: Uint8Array): JsonObject | undefined {
  const text = textOfBody(body)
  return text === undefined ? undefined : parseObject(text)
}

export function parseObject(text: string): JsonObject | undefined {
  try {
    const value = mayRound(text) ? parseWithDigits(text) : (JSON.parse(text) as unknown)
    return asObject(value)
  } catch {
    // Not JSON, or nested so deeply that the parser exceeds the stack.
    return undefined
  }
}

function asObject(value: unknown): JsonObject | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as JsonObject) : undefined
}

/** The value at a path of names. Only own properties count: no body reaches `Object.prototype`. */
export function valueAt(object: JsonObject | undefined, ...path: string[]): unknown {
  let value: unknown = object
  for (const name of path) {
    const inner = asObject(value)
    value = inner && Object.hasOwn(inner, name) ? inner[name] : undefined
  }
  return value
}

/** Statements that are longer are read as absent. */
const MAX_LENGTH = 128

/** The string or number at a path, as a string. Absent if it is empty, too long, or has control characters. */
export function textAt(object: JsonObject | undefined, ...path: string[]): string | undefined {
  const value = valueAt(object, ...path)
  const text = typeof value === 'string' ? value.trim() : numberText(value)
  const isText = text !== undefined && text !== '' && text.length <= MAX_LENGTH
  return isText && isStorable(text) && !/\p{Cc}/u.test(text) ? text : undefined
}

const DECIMAL = /^\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?$/

/** The decimal at a path, as stated; absent if it is anything else. */
export function decimalAt(object: JsonObject | undefined, ...path: string[]): string | undefined {
  const text = textAt(object, ...path)
  return text !== undefined && DECIMAL.test(text) ? text : undefined
}

/** The currency at a path; absent if it is anything else. */
export function currencyAt(object: JsonObject | undefined, ...path: string[]): string | undefined {
  const text = textAt(object, ...path)
  return text !== undefined && /^[A-Z]{3}$/.test(text) ? text : undefined
}

/** A day: a provider that asks for more is asked again earlier. */
const MAX_RETRY_AFTER_SECONDS = 86_400

/** The seconds of `Retry-After`. A date (RFC 9110, section 10.2.3) is read as absent: no provider sends one. */
export function retryAfterOf(headers: Readonly<Record<string, string | undefined>>) {
  const text = headers['retry-after'] ?? ''
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text), MAX_RETRY_AFTER_SECONDS) : undefined
}
