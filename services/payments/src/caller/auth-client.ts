import { timeLeftMs } from '@malipo/kit/telemetry/request-context'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { Outage } from '@malipo/kit/telemetry/outage'
import { type SpanOptions, withSpan } from '@malipo/kit/telemetry/tracing'
import type { OnApplicationShutdown } from '@nestjs/common'
import { context, propagation, type Span } from '@opentelemetry/api'
import axios, { type AxiosInstance, type AxiosRequestConfig } from 'axios'
import { Histogram, type Registry } from 'prom-client'
import { AuthConnections } from './auth-connections.js'

/** The result of auth's `/validate`. An outage is the result `unavailable`, never `rejected`. */
export type Validation =
  | { readonly kind: 'valid'; readonly claims: Claims }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'unavailable' }

/** The claims that payments uses, of an access token or an API key. */
export interface Claims {
  readonly sub: string
  readonly merchant: string
  /** The id of the session, or of the API key. */
  readonly sid: string
  readonly scope: string
  /** In seconds since the epoch; null for an API key that does not expire. */
  readonly exp: number | null
}

/** Maximum calls in flight, including those that wait for a socket. Auth handles 256 calls in about 50 ms. */
const MAX_IN_FLIGHT = 256
/** Buckets in seconds, from an idle auth's response time to auth's longest wait for its database. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
/** Longer than the circuit stays open between two calls, ms. */
const QUIET_MS = 5_000
const VALIDATE_PATH = '/api/auth/validate'
const LIVE_PATH = '/health/live'
/** Shorter than the time limit of a probe of `/health`. */
const PROBE_TIMEOUT_MS = 400

export class AuthClient implements OnApplicationShutdown {
  private readonly connections = new AuthConnections()
  private readonly http: AxiosInstance
  private readonly durations: Histogram<'outcome'>
  private readonly spanOptions: SpanOptions
  private readonly outage: Outage
  private inFlight = 0

  /** @param waitMs how long a call outside a request waits; one within a request has what is left of it */
  constructor(
    url: string,
    private readonly waitMs: number,
    registry: Registry,
    log: Logger,
  ) {
    this.outage = new Outage(log, 'auth')
    const help = `Token validation calls to auth in flight; ${MAX_IN_FLIGHT} at most`
    observableGauge(registry, { name: 'auth_calls_in_flight', help }, (gauge) =>
      gauge.set(this.inFlight),
    )
    this.durations = new Histogram({
      name: 'auth_call_duration_seconds',
      help: 'Duration of token validation calls to auth by outcome: valid, rejected, unavailable',
      labelNames: ['outcome'],
      buckets: BUCKETS,
      registers: [registry],
    })
    this.spanOptions = spanOptionsOf(new URL(url))
    this.http = axios.create({
      baseURL: url,
      // A redirect would send the token to another address.
      maxRedirects: 0,
      // A valid response is a small JSON object. Axios has no limit by default.
      maxContentLength: 16_384,
      // By default, axios would send tokens through the proxies in HTTP_PROXY and HTTPS_PROXY.
      proxy: false,
      // Axios throws for 4xx and 5xx by default.
      validateStatus: () => true,
    })
  }

  onApplicationShutdown() {
    this.connections.destroy()
  }

  /** Validates a token; `unavailable` if too many calls are in flight. `headers` propagate the request id. */
  async validate(token: string, headers: Record<string, string>): Promise<Validation> {
    if (this.inFlight >= MAX_IN_FLIGHT) {
      return this.unavailable(new Error(`${MAX_IN_FLIGHT} calls to auth are in flight`))
    }
    this.inFlight++
    const stopTimer = this.durations.startTimer()
    const validation = await this.callWithRetry(token, headers)
    this.inFlight--
    stopTimer({ outcome: validation.kind })
    return validation
  }

  /** Whether auth answers at all. Any answer below 500 counts: a proxy may not route the path. */
  async isReachable(): Promise<boolean> {
    try {
      const options = { ...this.connections.reused, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }
      return (await this.http.get(LIVE_PATH, options)).status < 500
    } catch {
      return false
    }
  }

  private async callWithRetry(token: string, headers: Record<string, string>): Promise<Validation> {
    const { reused, fresh } = this.connections
    try {
      return await this.call(token, headers, reused)
    } catch (error) {
      if (!isConnectionLost(error)) return this.unavailable(error)
    }
    return this.call(token, headers, fresh).catch((error: unknown) => this.unavailable(error))
  }

  private unavailable(cause: unknown): Validation {
    this.outage.begin(cause)
    return { kind: 'unavailable' }
  }

  private call(
    token: string,
    headers: Record<string, string>,
    connections: AxiosRequestConfig,
  ): Promise<Validation> {
    const send = async (span: Span | undefined) => {
      const sent = { ...headers, authorization: `Bearer ${token}` }
      propagation.inject(context.active(), sent)
      // Unlike axios' timeout, a signal also limits the wait for a socket and the time of a slow response.
      const timeoutMs = Math.ceil(timeLeftMs(this.waitMs))
      const signal = AbortSignal.timeout(timeoutMs)
      const options = { ...connections, headers: sent, signal }
      const response = this.http.get<unknown>(VALIDATE_PATH, options)
      const { status, data } = await response.catch((error: unknown) => {
        if (!signal.aborted) throw error
        throw new Error(`auth did not answer within ${timeoutMs} ms`, { cause: error })
      })
      span?.setAttribute('http.response.status_code', status)
      const validation = parseResponse(status, data)
      if (validation.kind === 'unavailable') {
        return this.unavailable(new Error(`auth answered ${status} to a validation`))
      }
      this.outage.endIfQuiet(QUIET_MS)
      return validation
    }
    return withSpan(() => this.spanOptions, send)
  }
}

/** The name and attributes of a call's span, which are the same for every token. */
function spanOptionsOf({ origin, hostname, port, protocol }: URL): SpanOptions {
  const defaultPort = protocol === 'https:' ? 443 : 80
  return {
    name: `GET ${VALIDATE_PATH}`,
    attributes: {
      'http.request.method': 'GET',
      'url.full': `${origin}${VALIDATE_PATH}`,
      'url.template': VALIDATE_PATH,
      'server.address': hostname,
      'server.port': Number(port) || defaultPort,
    },
  }
}

function parseResponse(status: number, body: unknown): Validation {
  if (status === 401) return { kind: 'rejected' }
  const { valid, payload } = (body ?? {}) as { valid?: unknown; payload?: unknown }
  if (status === 200 && valid === false) return { kind: 'rejected' }
  const claims = status === 200 && valid === true ? claimsOf(payload) : undefined
  return claims ? { kind: 'valid', claims } : { kind: 'unavailable' }
}

/** undefined if a claim is missing or malformed. Auth 0.1.0 returns no `merchant`: it is then the user. */
function claimsOf(payload: unknown): Claims | undefined {
  const { sub, sid, scope, exp, merchant = sub } = (payload ?? {}) as Record<string, unknown>
  const hasStrings = [sub, merchant, sid, scope].every((claim) => typeof claim === 'string')
  const isComplete = hasStrings && (typeof exp === 'number' || exp === null)
  return isComplete ? ({ sub, merchant, sid, scope, exp } as Claims) : undefined
}

/** Auth may close an idle connection just as a call uses it, and a lost one does not respond: retry once. */
function isConnectionLost(error: unknown): boolean {
  const code = axios.isAxiosError(error) ? error.code : undefined
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT'
}
