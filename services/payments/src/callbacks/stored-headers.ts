import type { IncomingHttpHeaders } from 'node:http'

/** Credentials, which are no evidence. */
const SECRET: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])

/**
 * The headers of a callback that are stored as evidence: all but credentials and those with the nonce, because a proxy
 * may pass on the path, as in `X-Original-URI`.
 */
export function storedHeaders(
  headers: IncomingHttpHeaders,
  nonce: string | undefined,
): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) => {
    const text = Array.isArray(value) ? value.join(', ') : value
    const isStored =
      text !== undefined && !SECRET.has(name) && (nonce === undefined || !text.includes(nonce))
    return isStored ? [[name, text] as const] : []
  })
  return Object.fromEntries(entries)
}
