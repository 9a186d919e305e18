import type { Logger } from '@malipo/kit/telemetry/logger'
import { Outage } from '@malipo/kit/telemetry/outage'
import { type SpanOptions, withSpan } from '@malipo/kit/telemetry/tracing'
import type { ProviderAccount } from '../accounts.js'
import type { HttpRequest } from '../adapter.js'
import { Connections } from './connections.js'
import type { Ended } from './exchange.js'
import type { CallKind, ProviderMetrics } from './provider-metrics.js'
import type { TlsOptions } from './tls-files.js'

/** An outage ends when no call has failed for this time. */
const QUIET_MS = 30_000

interface RequestOptions {
  readonly call: CallKind
  readonly timeoutSeconds: number
  readonly mayBegin: () => boolean
}

/** The HTTP requests of one account, with their metrics, spans and the log of an outage. */
export class Requests {
  private readonly connections: Connections
  private readonly outage: Outage
  private readonly server: { readonly address: string; readonly port: number }

  constructor(
    private readonly account: ProviderAccount,
    /** With the account in each line. */
    private readonly log: Logger,
    private readonly metrics: ProviderMetrics,
    { tls, grants }: { readonly tls: TlsOptions; readonly grants: number },
  ) {
    this.connections = new Connections(account, tls, grants)
    this.outage = new Outage(log, 'the provider')
    const { hostname: address, port, protocol } = new URL(account.baseUrl)
    this.server = { address, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
  }

  /** Sends what `render` returns. A request for a grant does not wait for others, which may wait for the grant. */
  async send(render: () => HttpRequest, options: RequestOptions): Promise<Ended> {
    const { call, timeoutSeconds } = options
    const { name } = this.account
    const request = this.rendered(render)
    if (!request) return { kind: 'ended', result: { phase: 'connecting' } }
    let begunAt: number | undefined
    const mayBegin = () => {
      if (!options.mayBegin()) return false
      begunAt = performance.now()
      return true
    }
    const limits = { timeoutMs: timeoutSeconds * 1_000, mayBegin }
    const ended = await withSpan(
      () => this.spanOf(call, request),
      async (span) => {
        const answer = await (call === 'grant'
          ? this.connections.send(request, limits)
          : this.connections.queue(request, limits))
        const status = statusOf(answer)
        if (status !== undefined) span?.setAttribute('http.response.status_code', status)
        return answer
      },
    )
    if (begunAt !== undefined) this.metrics.observe(name, call, performance.now() - begunAt)
    this.observe(ended)
    return ended
  }

  /** As `Connections.replaceTls`. */
  replaceTls(tls: TlsOptions) {
    this.connections.replaceTls(tls)
  }

  /** As `Connections.close`. */
  close(): Promise<void> {
    return this.connections.close()
  }

  /** An adapter does not throw. If it does, nothing has been sent. */
  private rendered(render: () => HttpRequest): HttpRequest | undefined {
    try {
      return render()
    } catch (error) {
      this.log.error({ err: error }, 'a request could not be rendered')
      return undefined
    }
  }

  private observe(ended: Ended) {
    if (ended.kind === 'not_begun') return
    if (ended.result.phase === 'answered') this.outage.endIfQuiet(QUIET_MS)
    else this.outage.begin(ended.cause, { phase: ended.result.phase })
  }

  private spanOf(call: CallKind, { method }: HttpRequest): SpanOptions {
    return {
      name: `${call} ${this.account.adapter}`,
      attributes: {
        'http.request.method': method,
        'server.address': this.server.address,
        'server.port': this.server.port,
        'malipo.account': this.account.name,
      },
    }
  }
}

/** The HTTP status; undefined without a complete answer. */
export function statusOf(ended: Ended): number | undefined {
  const isAnswered = ended.kind === 'ended' && ended.result.phase === 'answered'
  return isAnswered ? ended.result.status : undefined
}
