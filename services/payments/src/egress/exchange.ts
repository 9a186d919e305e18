import { type Dispatcher, errors } from 'undici'
import { connectErrorOf } from './guarded-connector.js'
import type { TryError } from './try-result.js'

/** How much of an answer's body is read. */
export const MAX_BODY_BYTES = 4_096
/** How long the body is awaited after its head: it is only shown to people. */
const BODY_MS = 2_000

export type Ended =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: Readonly<Record<string, string | undefined>>
      readonly body: Buffer
    }
  | { readonly kind: 'failed'; readonly error: TryError }
  /** A connection that had been used before was closed without an answer. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'aborted' }

/**
 * One HTTP request and the beginning of its answer. undici calls `onRequestStart` when the connection exists, right
 * before it writes the request, so that an earlier error is one of connecting.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  private readonly settled = Promise.withResolvers<Ended>()
  private readonly chunks: Buffer[] = []
  private state: 'connecting' | 'sent' | 'settled' = 'connecting'
  private length = 0
  private controller: Dispatcher.DispatchController | undefined
  private head: { status: number; headers: Record<string, string | undefined> } | undefined
  private bodyTimer: NodeJS.Timeout | undefined
  /** Whether the answer was received in full, so that its connection can be used again. */
  isComplete = false

  /** @param isConnectionUsed whether the server has answered an earlier request on the connection */
  constructor(private readonly isConnectionUsed: boolean) {}

  get outcome(): Promise<Ended> {
    return this.settled.promise
  }

  /** Ends the exchange, and its connection, if it has not ended yet: as answered if it has the head of an answer. */
  end(ended: Ended) {
    if (this.state === 'settled') return
    this.finish(ended)
    this.controller?.abort(new Error('the exchange has ended'))
  }

  /** An error keeps the request from being written. */
  onRequestStart(controller: Dispatcher.DispatchController) {
    if (this.state !== 'connecting') throw new Error('the exchange has ended')
    this.state = 'sent'
    this.controller = controller
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ) {
    // Interim answers precede it.
    if (status < 200 || this.state === 'settled') return
    const first = Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value[0] : value,
    ])
    this.head = { status, headers: Object.fromEntries(first) as Record<string, string> }
    this.bodyTimer = setTimeout(() => this.end({ kind: 'aborted' }), BODY_MS)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer) {
    this.chunks.push(chunk.subarray(0, MAX_BODY_BYTES - this.length))
    this.length = Math.min(this.length + chunk.length, MAX_BODY_BYTES)
    // The connection is closed: the rest, of any length, would have to be read before it could be used again.
    if (this.length === MAX_BODY_BYTES) this.end({ kind: 'aborted' })
  }

  onResponseEnd() {
    this.isComplete = this.state === 'sent'
    this.finish({ kind: 'failed', error: 'invalid_answer' })
  }

  onResponseError(_controller: unknown, error: Error) {
    this.finish(this.failureOf(error))
  }

  private failureOf(error: Error): Ended {
    // Others are errors of the connection.
    const isInvalid =
      error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError
    if (isInvalid) return { kind: 'failed', error: 'invalid_answer' }
    // Also before the request is written: the connection is closed first, and nothing reconnects.
    if (this.isConnectionUsed) return { kind: 'stale' }
    return { kind: 'failed', error: this.state === 'connecting' ? connectErrorOf(error) : 'reset' }
  }

  private finish(ended: Ended) {
    clearTimeout(this.bodyTimer)
    this.state = 'settled'
    const { head } = this
    if (head) this.settled.resolve({ kind: 'answered', ...head, body: Buffer.concat(this.chunks) })
    else this.settled.resolve(ended)
  }
}
