import { withSpan } from '@malipo/kit/telemetry/tracing'
import type { OnApplicationShutdown } from '@nestjs/common'
import { answerText } from './answer-text.js'
import { type Connection, Connections } from './connections.js'
import { judgeUrl } from './endpoint-url.js'
import { type Ended, Exchange } from './exchange.js'
import { guardedConnector } from './guarded-connector.js'
import type { EgressPolicy, EgressSettings } from './policy.js'
import { type Resolve, resolveByDns } from './resolver.js'
import { retryAfterSeconds } from './retry-after.js'
import type { TryResult } from './try-result.js'

/** The injection token of the `EgressClient` that delivers notifications. */
export const EGRESS = Symbol('egress')
/** The injection token of its `EgressPolicy`. */
export const EGRESS_POLICY = Symbol('egress policy')

/** A whole try, from resolving the name to the end of the answer. */
export const TRY_MS = 20_000

interface Dependencies {
  readonly resolve?: Resolve
  /** PEM, instead of the public CAs. */
  readonly ca?: string
  readonly tryMs?: number
  /** ms since 1970, for `Retry-After`. */
  readonly now?: () => number
}

export interface EgressRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
  /** Ends the try as `aborted`. */
  readonly signal?: AbortSignal
}

/**
 * Sends requests to hosts that merchants name, and to public addresses only: docs/egress.md. It follows no redirect, and
 * reads no environment variables. It has no limit on concurrent requests, which its caller has.
 */
export class EgressClient implements OnApplicationShutdown {
  private readonly connections: Connections
  private readonly open = new Set<Exchange>()
  private readonly policy: EgressPolicy
  private readonly tryMs: number
  private readonly now: () => number
  private isClosed = false

  constructor({ policy, proxyUrl }: EgressSettings, dependencies: Dependencies = {}) {
    const { resolve = resolveByDns(), ca, tryMs = TRY_MS, now = Date.now } = dependencies
    this.policy = policy
    this.tryMs = tryMs
    this.now = now
    this.connections = new Connections(guardedConnector({ policy, resolve, proxyUrl, ca }))
  }

  /**
   * Sends a POST request, and resolves when its answer, or the end of it, is known: at the latest after 20 s. It never
   * rejects because of what a host does. The server may receive the request twice, if a connection that it had answered
   * before is closed during the request.
   */
  async post(request: EgressRequest): Promise<TryResult> {
    return withSpan(
      () => ({ name: 'deliver', attributes: { 'http.request.method': 'POST' } }),
      async (span) => {
        const result = await this.attempt(request)
        if (result.kind === 'answered') {
          span?.setAttribute('http.response.status_code', result.status)
        } else {
          span?.setAttribute('error.type', result.kind === 'failed' ? result.error : result.kind)
        }
        return result
      },
    )
  }

  /** Ends every open request as `aborted`, and closes all connections. */
  async onApplicationShutdown() {
    this.isClosed = true
    for (const exchange of this.open) exchange.end({ kind: 'aborted' })
    await this.connections.destroy()
  }

  private async attempt(request: EgressRequest): Promise<TryResult> {
    const startedAt = performance.now()
    const judged = judgeUrl(request.url, this.policy)
    const ended: Ended =
      judged.kind === 'refused'
        ? { kind: 'failed', error: judged.error }
        : await this.send(judged.url, request, startedAt + this.tryMs)
    const tookMs = Math.round(performance.now() - startedAt)
    if (ended.kind === 'stale') return { kind: 'failed', error: 'reset', tookMs }
    if (ended.kind !== 'answered') return { ...ended, tookMs }
    const { status, headers, body } = ended
    return {
      kind: 'answered',
      status,
      retryAfterSeconds: retryAfterSeconds(headers['retry-after'], this.now()),
      answer: answerText(body, headers['content-encoding']),
      tookMs,
    }
  }

  /** Repeats a request if its connection had been used before: the receiver recognises a notification by its id. */
  private async send(url: URL, request: EgressRequest, deadline: number): Promise<Ended> {
    const exchange = async (mayBeUsed: boolean): Promise<Ended> => {
      if (this.isClosed || request.signal?.aborted) return { kind: 'aborted' }
      const connection = this.connections.take(url.origin, mayBeUsed)
      return this.exchange(connection, { url, request, deadline })
    }
    const ended = await exchange(true)
    return ended.kind === 'stale' ? exchange(false) : ended
  }

  private async exchange(
    connection: Connection,
    { url, request, deadline }: { url: URL; request: EgressRequest; deadline: number },
  ): Promise<Ended> {
    const { signal } = request
    const exchange = new Exchange(connection.isUsed)
    this.open.add(exchange)
    // In a busy process, the answer may be there without having been read: it is read before the immediate.
    const expire = () => setImmediate(() => exchange.end({ kind: 'failed', error: 'timeout' }))
    const timer = setTimeout(expire, deadline - performance.now())
    const abort = () => exchange.end({ kind: 'aborted' })
    signal?.addEventListener('abort', abort)
    try {
      connection.client.dispatch(optionsOf(url, request), exchange)
      return await exchange.outcome
    } finally {
      this.connections.release(connection, exchange.isComplete)
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      this.open.delete(exchange)
    }
  }
}

function optionsOf({ pathname, search }: URL, { headers, body }: EgressRequest) {
  return {
    method: 'POST' as const,
    path: `${pathname}${search}`,
    headers: { 'user-agent': 'malipo', ...headers, 'accept-encoding': 'identity' },
    body,
  }
}
