import { type buildConnector, Pool } from 'undici'
import type { ProviderAccount } from '../accounts.js'
import type { HttpRequest } from '../adapter.js'
import { CONNECTION_OPTIONS, connectorOf } from './connectors.js'
import { type Ended, Exchange } from './exchange.js'
import { Slots } from './slots.js'
import type { TlsOptions } from './tls-files.js'

/** A larger body is no complete answer. Documented ones have at most a few kB. */
export const MAX_BODY_BYTES = 65_536

interface CallLimits {
  /** For waiting, connecting, sending and receiving together. */
  readonly timeoutMs: number
  /** Called right before the first byte is written, when the connection exists. */
  readonly mayBegin: () => boolean
}

/** The connections to one account's API. Nothing is repeated, and no redirect is followed. */
export class Connections {
  private readonly pool: Pool
  private readonly slots: Slots
  private readonly exchanges = new Set<Exchange>()
  private readonly basePath: string
  private connector: buildConnector.connector
  private isConnectionLost = false

  /** @param extra connections for requests that don't wait for others */
  constructor(
    private readonly account: Pick<ProviderAccount, 'baseUrl' | 'proxyUrl' | 'limits'>,
    tls: TlsOptions,
    extra: number,
  ) {
    const { baseUrl, proxyUrl, limits } = account
    this.connector = connectorOf(proxyUrl, tls)
    const { origin, pathname } = new URL(baseUrl)
    this.basePath = pathname.replace(/\/+$/, '')
    this.slots = new Slots(limits.maxInFlight)
    this.pool = new Pool(origin, {
      connections: limits.maxInFlight + extra,
      connect: this.observed((options, callback) => this.connector(options, callback)),
      ...CONNECTION_OPTIONS,
      maxResponseSize: MAX_BODY_BYTES,
    })
  }

  /** Later connections use these certificates. Open ones stay: a request of them is not repeated. */
  replaceTls(tls: TlsOptions) {
    this.connector = connectorOf(this.account.proxyUrl, tls)
  }

  /** Waits until fewer than `maxInFlight` of these requests are in flight. */
  async queue(request: HttpRequest, limits: CallLimits): Promise<Ended> {
    const exchange = this.open(limits)
    const leave = this.slots.enqueue(() => {
      void exchange.completion.then(() => this.slots.release())
      this.dispatch(request, exchange)
    })
    return exchange.outcome.finally(leave)
  }

  /** Sends the request without waiting for others. */
  async send(request: HttpRequest, limits: CallLimits): Promise<Ended> {
    const exchange = this.open(limits)
    this.dispatch(request, exchange)
    return exchange.outcome
  }

  /** Ends requests that have not begun, and resolves when the others have their answers or are out of time. */
  async close() {
    const exchanges = [...this.exchanges]
    for (const exchange of exchanges) exchange.cancel()
    await Promise.all(exchanges.map((exchange) => exchange.outcome))
    await this.pool.destroy()
  }

  /** Begins the time of a request. */
  private open({ timeoutMs, mayBegin }: CallLimits): Exchange {
    const exchange = new Exchange(mayBegin, () => this.isConnectionLost)
    this.exchanges.add(exchange)
    // In a busy process, the answer may be there without having been read: it is read before the immediate.
    const timer = setTimeout(() => setImmediate(() => exchange.expire(timeoutMs)), timeoutMs)
    void exchange.outcome.then(() => {
      clearTimeout(timer)
      this.exchanges.delete(exchange)
    })
    return exchange
  }

  private dispatch({ method, path, headers, body }: HttpRequest, exchange: Exchange) {
    const options = {
      method,
      path: `${this.basePath}${path}`,
      headers: { ...headers, 'user-agent': 'malipo', 'accept-encoding': 'identity' },
      body,
    }
    this.pool.dispatch(options, exchange)
  }

  /**
   * When a connection is reset, undici completes an answer without a length, which ends with the connection, although
   * a part may be missing. It does so in its own listener for errors, which is added within `callback`.
   */
  private observed(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) =>
      connect(options, (...result) => {
        const [, socket] = result
        socket?.on('error', () => (this.isConnectionLost = true))
        callback(...result)
        socket?.on('error', () => (this.isConnectionLost = false))
      })
  }
}
