/**
 * Why a try has no answer. None of them says which address, or which of several, was tried: endpoints are no port
 * scanner.
 */
export const TRY_ERRORS = {
  /** The policy does not accept the URL (anymore). */
  invalid_url: 'the URL is not accepted',
  /** The host is internal, or one of its addresses is not public. */
  forbidden_address: 'the host is not public',
  dns: 'the name of the host does not resolve',
  /** Within 5 s: refused, unreachable, or a proxy did not open a tunnel. */
  connect: 'there is no connection',
  /** The handshake failed, or the certificate is not valid for the host. */
  tls: 'TLS failed',
  timeout: 'there is no answer within 20 s',
  reset: 'the connection was closed before an answer',
  /** Not HTTP/1.1, or a head of more than 16 kB. */
  invalid_answer: 'the answer is not HTTP',
} as const

export type TryError = keyof typeof TRY_ERRORS

/** How a try to deliver ended. The body of an answer decides nothing: its status counts, even if the body is cut off. */
export type TryResult =
  | {
      readonly kind: 'answered'
      /** 200 to 599. Redirects are answers as any other. */
      readonly status: number
      /** 0 to 86400. */
      readonly retryAfterSeconds: number | undefined
      /** At most 512 characters, storable. */
      readonly answer: string
      readonly tookMs: number
    }
  | { readonly kind: 'failed'; readonly error: TryError; readonly tookMs: number }
  /** The signal, or the shutdown, ended the try. The request may have been received. */
  | { readonly kind: 'aborted'; readonly tookMs: number }
