/**
 * Numbers of a JSON body with the digits that were sent. `JSON.parse` rounds each number to a double: it reads
 * 4999.99999999999999999 as 5000, and 1e400 as Infinity. A number that rounding would change stays a
 * `RawNumber`, which is no JavaScript number, so that only rules that know it accept it.
 */

/** The digits of a number, as `JSON.rawJSON` stores them. `JSON.stringify` writes them unchanged. */
export interface RawNumber {
  readonly rawJSON: string
}

/** ECMAScript's "JSON.parse source text access", which TypeScript's libraries don't declare yet. */
interface SourceTextJson {
  isRawJSON(value: unknown): value is RawNumber
  parse(text: string, reviver: (key: string, value: unknown, context: Source) => unknown): unknown
  rawJSON(text: string): RawNumber
}
interface Source {
  /** The text of a string, number, boolean or null; undefined for an object or array. */
  readonly source?: string
}

const json = JSON as unknown as SourceTextJson

/**
 * Finds each number with an exponent or with 16 or more digits: a double preserves every decimal of up to 15
 * significant digits (`DBL_DIG` of C). It also finds such text within strings, which costs only time.
 */
const MAY_ROUND = /(?:^|[\s:,[])-?\d(?:[\d.]{15}|[\d.]{0,14}[eE])/

/** Whether a JSON text may have a number that `JSON.parse` rounds. If not, `JSON.parse` suffices. */
export function mayRound(text: string): boolean {
  return MAY_ROUND.test(text)
}

/** Parses JSON as `JSON.parse` does, but each number that a double would change becomes a `RawNumber`. */
export function parseWithDigits(text: string): unknown {
  return json.parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value
    return isPreserved(source, value) ? value : json.rawJSON(source)
  })
}

function isPreserved(source: string, value: number): boolean {
  const sent = decimalOf(source)
  const rounded = decimalOf(String(value))
  return sent?.digits === rounded?.digits && sent?.point === rounded?.point
}

/** The decimal form of a number of a parsed body; undefined for any other value. */
export function numberText(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return json.isRawJSON(value) ? value.rawJSON : undefined
}

/** The number ±0.{digits} × 10^point. `digits` has no zeros at its ends; those of zero are empty. */
export interface Decimal {
  readonly isNegative: boolean
  readonly digits: string
  readonly point: number
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** Parses a decimal, with or without an exponent; undefined for other text, such as `NaN`. */
export function decimalOf(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text)
  if (!match) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const digits = whole + fraction
  let start = 0
  while (digits[start] === '0') start++
  let end = digits.length
  while (end > start && digits[end - 1] === '0') end--
  const point = start === end ? 0 : whole.length - start + Number(exponent)
  return { isNegative: sign === '-', digits: digits.slice(start, end), point }
}
