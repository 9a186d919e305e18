/** A day: an endpoint that asks for more is tried again earlier. */
const MAX_SECONDS = 86_400
/** An HTTP date in the form that senders must use (RFC 9110, section 5.6.7). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/**
 * The seconds that an answer asks to wait by `Retry-After` (RFC 9110, section 10.2.3), from 0 to a day. Undefined
 * without the header, or if it is neither a number of seconds nor a date.
 *
 * @param now ms since 1970, of a clock that is right, since a date is compared with it
 */
export function retryAfterSeconds(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+$/.test(text)) return Math.min(Number(text), MAX_SECONDS)
  const at = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) return undefined
  return Math.min(Math.max(Math.ceil((at - now) / 1_000), 0), MAX_SECONDS)
}
