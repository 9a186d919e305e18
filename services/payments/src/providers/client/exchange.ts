import type { Dispatcher } from 'undici'
import type { Answer, CallResult } from '../reading.js'

/** How one request ended. `not_begun`: no byte of it was written, because it must not begin. */
export type Ended =
  | { readonly kind: 'not_begun' }
  | {
      readonly kind: 'ended'
      readonly result: CallResult
      /** Why there is no complete answer. */
      readonly cause?: Error
    }

/**
 * One HTTP request and its answer, as undici reports them. `onRequestStart` is called after the connection exists, in
 * the same call of a function that then writes the first byte (`writeH1` of undici 7). So everything that fails before
 * is `connecting`, and everything after it that is no complete answer is `sent`.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  private readonly settled = Promise.withResolvers<Ended>()
  private readonly finished = Promise.withResolvers<void>()
  private readonly chunks: Buffer[] = []
  private state: 'connecting' | 'sent' | 'settled' = 'connecting'
  private controller: Dispatcher.DispatchController | undefined
  private head: Pick<Answer, 'status' | 'headers'> | undefined

  /**
   * @param mayBegin whether the first byte may be written now
   * @param isConnectionLost whether undici completes an answer because its connection is lost
   */
  constructor(
    private readonly mayBegin: () => boolean,
    private readonly isConnectionLost: () => boolean,
  ) {}

  /** How the request ended. It is known before undici has finished with a connection that is being opened. */
  get outcome(): Promise<Ended> {
    return this.settled.promise
  }

  /** Resolves when undici has finished with the request. */
  get completion(): Promise<void> {
    return this.finished.promise
  }

  /** Ends the request if it has no complete answer yet. */
  expire(timeoutMs: number) {
    this.fail(new Error(`no complete answer within ${timeoutMs} ms`))
  }

  /** Ends the request if it has not begun. */
  cancel() {
    if (this.state === 'connecting') this.settle({ kind: 'not_begun' })
  }

  /** An error keeps the request from being written, and the connection stays open for others. */
  onRequestStart(controller: Dispatcher.DispatchController) {
    // A request whose connection fails is never written again, whatever undici does with it.
    if (this.state === 'connecting' && this.mayBegin()) {
      this.state = 'sent'
      this.controller = controller
      return
    }
    this.cancel()
    throw new Error('the request must not begin')
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ) {
    // Interim answers, with a status below 200, precede it.
    const joined = Object.entries(headers).map(([name, value]) => [name, joinedValue(value)])
    this.head = { status, headers: Object.fromEntries(joined) as Answer['headers'] }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer) {
    this.chunks.push(chunk)
  }

  onResponseEnd() {
    if (this.head && !this.isConnectionLost()) this.answer(this.head)
    else this.fail(new Error('the connection was lost before the end of the answer'))
    this.finished.resolve()
  }

  onResponseError(_controller: unknown, error: Error) {
    this.fail(error)
    this.finished.resolve()
  }

  private answer(head: Pick<Answer, 'status' | 'headers'>) {
    const coding = head.headers['content-encoding']?.trim().toLowerCase() ?? ''
    // To an adapter, a compressed error would have no code, as those that the provider's gateway sends.
    if (coding !== '' && coding !== 'identity') {
      this.fail(new Error('the answer has a content coding, though the request accepts none'))
      return
    }
    const body = Buffer.concat(this.chunks)
    this.settle({ kind: 'ended', result: { phase: 'answered', ...head, body } })
  }

  private fail(cause: Error) {
    if (this.state === 'settled') return
    this.settle({ kind: 'ended', result: { phase: this.state }, cause })
    this.controller?.abort(cause)
  }

  private settle(ended: Ended) {
    this.state = 'settled'
    this.settled.resolve(ended)
  }
}

/** RFC 9110, section 5.3. */
function joinedValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
