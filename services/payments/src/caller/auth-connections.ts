import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/** A connection that was used before did not respond: its peer may be gone without a reset. */
export class SilentConnection extends Error {
  override readonly name = 'SilentConnection'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('a reused connection did not respond')
  }
}

/** Longer than auth takes under load, and short enough to repeat the call before the request's deadline. */
const SILENT_MS = 3_000
const MAX_SOCKETS = 32
/** Idle connections close after 30 s, before auth closes them (72 s), so that few calls use a closed one. */
const KEPT_ALIVE = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: 30_000 }
const FRESH = { keepAlive: false, maxSockets: MAX_SOCKETS }

/** The connections to auth, as options of axios, which requires one agent per scheme. */
export class AuthConnections {
  /** Reuses connections. Node's default agents don't limit sockets. */
  readonly reused = {
    httpAgent: new HttpAgent(KEPT_ALIVE),
    httpsAgent: new HttpsAgent(KEPT_ALIVE),
    transport: {
      request: (options: RequestOptions, onResponse: (response: IncomingMessage) => void) => {
        const send = options.protocol === 'https:' ? httpsRequest : httpRequest
        return this.watch(send(options, onResponse))
      },
    },
  }
  /** Opens a connection for each call. */
  readonly fresh = { httpAgent: new HttpAgent(FRESH), httpsAgent: new HttpsAgent(FRESH) }

  destroy() {
    for (const { httpAgent, httpsAgent } of [this.reused, this.fresh]) {
      httpAgent.destroy()
      httpsAgent.destroy()
    }
  }

  /**
   * Destroys a request on a reused connection that does not respond within 3 s, and all idle connections:
   * a network that has dropped one silently has probably dropped the others too.
   */
  private watch(request: ClientRequest): ClientRequest {
    request.once('socket', () => {
      if (!request.reusedSocket) return
      const timer = setTimeout(() => {
        request.destroy(new SilentConnection())
        this.destroyIdle()
      }, SILENT_MS)
      const stop = () => clearTimeout(timer)
      request.once('response', stop).once('close', stop)
    })
    return request
  }

  private destroyIdle() {
    const { httpAgent, httpsAgent } = this.reused
    for (const { freeSockets } of [httpAgent, httpsAgent]) {
      for (const socket of Object.values(freeSockets).flat()) socket?.destroy()
    }
  }
}
