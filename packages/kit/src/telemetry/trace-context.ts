import type { IncomingHttpHeaders } from 'node:http'

/** Where a piece of work stands in a trace: W3C Trace Context, section 3.2. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits: the span that what is done is a part of. */
  readonly spanId: string
  readonly traceFlags: number
}

/** The flag of a trace that is recorded. */
export const RECORDED = 0x01

/** What Node makes of a header that comes twice has a comma, and is none. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-[\x21-\x7e]*)?$/
const NONE = /^0+$/
/** Those of the version that is known here. */
const FLAGS = 0x03

/**
 * The context that a request brings. Of a later version of the header its known fields are taken, as the
 * section says.
 */
export function traceContext(headers: IncomingHttpHeaders): TraceContext | undefined {
  const header = headers['traceparent']
  if (typeof header !== 'string') return undefined
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(header) ?? []
  if (version === undefined || NONE.test(traceId) || NONE.test(spanId)) return undefined
  if (version === '00' && more !== undefined) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & FLAGS }
}

/** The header that tells a context to the next service. */
export function traceparent({ traceId, spanId, traceFlags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

const TRACESTATE = /^[\x20-\x7e]{1,512}$/

/** What other makers of traces have to say to each other (section 3.3), if it may be passed on. */
export function traceState(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['tracestate']
  return typeof header === 'string' && TRACESTATE.test(header) ? header : undefined
}
