import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { type SpanOptions, spanHeaders, withSpan } from '@malipo/kit/telemetry/tracing'
import type { OnApplicationShutdown } from '@nestjs/common'
import type { Span } from '@opentelemetry/api'
import axios, { type AxiosInstance } from 'axios'
import { Histogram, type Registry } from 'prom-client'

/** What auth's `/validate` says of a token. An outage is a value: it is never taken for a refusal. */
export type Validation =
  | { readonly kind: 'valid'; readonly claims: Claims }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unavailable'; readonly why: string }

/** The claims that are used here; `exp` in seconds since the epoch. */
export interface Claims {
  readonly sub: string
  readonly sid: string
  readonly scope: string
  readonly exp: number
}

/** Auth waits for its own database up to 12 s by default; its 503 is a better answer than silence. */
const OVER_AUTHS_WAIT_MS = 3_000
const MOST_SOCKETS = 32
/** Calls at once, those included that wait for a socket: auth answers so many in about 50 ms. */
const MOST_CALLS = 256
/** Seconds: from an answer of auth at rest to its longest wait for its database. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
const VALIDATE = '/api/auth/validate'
/** Auth closes idle connections after 72 s. */
const IDLE_SOCKET_MS = 30_000

export class AuthClient implements OnApplicationShutdown {
  private readonly agents = {
    httpAgent: new HttpAgent({
      keepAlive: true,
      maxSockets: MOST_SOCKETS,
      timeout: IDLE_SOCKET_MS,
    }),
    httpsAgent: new HttpsAgent({
      keepAlive: true,
      maxSockets: MOST_SOCKETS,
      timeout: IDLE_SOCKET_MS,
    }),
  }
  private readonly http: AxiosInstance
  private readonly durations: Histogram<'outcome'>
  private readonly asking: SpanOptions
  private inFlight = 0

  constructor(url: string, authWaitMs: number, registry: Registry) {
    const waiting = `Calls to auth about tokens that wait for an answer; ${MOST_CALLS} at most`
    observableGauge(registry, { name: 'auth_calls_in_flight', help: waiting }, (gauge) =>
      gauge.set(this.inFlight),
    )
    this.durations = new Histogram({
      name: 'auth_call_duration_seconds',
      help: 'Time of a call to auth about a token by outcome: valid, refused, unavailable',
      labelNames: ['outcome'],
      buckets: BUCKETS,
      registers: [registry],
    })
    this.asking = doing(new URL(url))
    this.http = axios.create({
      ...this.agents,
      baseURL: url,
      timeout: authWaitMs + OVER_AUTHS_WAIT_MS,
      maxRedirects: 0,
      maxContentLength: 16_384,
      proxy: false,
      validateStatus: () => true,
    })
  }

  onApplicationShutdown() {
    this.agents.httpAgent.destroy()
    this.agents.httpsAgent.destroy()
  }

  /**
   * Asks about a token. `headers` carries the request's id and trace on. With too many calls under way
   * already it is unavailable at once.
   */
  async validate(token: string, headers: Record<string, string>): Promise<Validation> {
    if (this.inFlight >= MOST_CALLS) return { kind: 'unavailable', why: 'too many calls at once' }
    this.inFlight++
    const stop = this.durations.startTimer()
    const validation = await this.askTwice(token, headers)
    this.inFlight--
    stop({ outcome: validation.kind })
    return validation
  }

  private async askTwice(token: string, headers: Record<string, string>): Promise<Validation> {
    try {
      return await this.ask(token, headers)
    } catch (error) {
      // A kept-alive connection may be closed by the other side just as it is used again: once more.
      if (!wasCutOff(error)) return unavailable(error)
    }
    return this.ask(token, headers).catch(unavailable)
  }

  private ask(token: string, headers: Record<string, string>): Promise<Validation> {
    return withSpan(
      () => this.asking,
      (span) => this.send(token, spanHeaders(span, headers), span),
    )
  }

  private async send(
    token: string,
    headers: Record<string, string>,
    span: Span | undefined,
  ): Promise<Validation> {
    const response = await this.http.get<unknown>(VALIDATE, {
      headers: { ...headers, authorization: `Bearer ${token}` },
    })
    span?.setAttribute('http.response.status_code', response.status)
    return read(response.status, response.data)
  }
}

/** The call as a trace tells it; its address is the same for every token. */
function doing({ origin, hostname, port, protocol }: URL): SpanOptions {
  const usual = protocol === 'https:' ? 443 : 80
  return {
    name: `GET ${VALIDATE}`,
    attributes: {
      'http.request.method': 'GET',
      'url.full': `${origin}${VALIDATE}`,
      'url.template': VALIDATE,
      'server.address': hostname,
      'server.port': Number(port) || usual,
    },
  }
}

function read(status: number, body: unknown): Validation {
  if (status === 401) return { kind: 'refused' }
  const { valid, payload } = (body ?? {}) as { valid?: unknown; payload?: unknown }
  if (status === 200 && valid === false) return { kind: 'refused' }
  if (status === 200 && valid === true && isClaims(payload))
    return { kind: 'valid', claims: payload }
  return { kind: 'unavailable', why: `auth answered ${status}` }
}

function isClaims(payload: unknown): payload is Claims {
  const { sub, sid, scope, exp } = (payload ?? {}) as Record<string, unknown>
  const texts = [sub, sid, scope].every((claim) => typeof claim === 'string')
  return texts && typeof exp === 'number'
}

function wasCutOff(error: unknown): boolean {
  const code = axios.isAxiosError(error) ? error.code : undefined
  return code === 'ECONNRESET' || code === 'EPIPE'
}

function unavailable(error: unknown): Validation {
  return {
    kind: 'unavailable',
    why: axios.isAxiosError(error) ? (error.code ?? error.message) : String(error),
  }
}
