import { Agent, request as httpRequest } from 'node:http'

/** HTTP client with keep-alive connections, by default through the edge. */

export const EDGE = new URL(process.env.EDGE_URL ?? 'http://127.0.0.1:8080')
export const HOST = process.env.EDGE_HOST ?? 'drill.malipo.test'

/** Client timeout: longer than the longest wait of a request for the token check and the database. */
const RESPONSE_TIMEOUT_MS = 40_000
const MAX_SOCKETS = 512

const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS })

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** A response; without one, status 0 and the error code as the body. */
export interface HttpResponse {
  readonly status: number
  readonly replayed: boolean
  readonly body: unknown
  /** The seconds in `Retry-After`; undefined without this header. */
  readonly retryAfter?: number
}

/** Sends one request. Never rejects: errors are returned as status 0. @param limitMs for the complete response */
export async function send(
  request: HttpRequest,
  origin = EDGE,
  limitMs = RESPONSE_TIMEOUT_MS,
): Promise<HttpResponse> {
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, replayed: false, body: error.code ?? error.message })
    const sent = httpRequest({
      agent,
      host: origin.hostname,
      port: origin.port,
      method: request.method,
      path: request.path,
      headers: {
        ...(origin === EDGE ? { host: HOST } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...request.headers,
      },
      signal: AbortSignal.timeout(limitMs),
    })
    sent.on('error', failed)
    sent.on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', failed)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          replayed: response.headers['idempotent-replayed'] === 'true',
          body: parseJson(Buffer.concat(parts).toString('utf8')),
          ...retryAfterOf(response.headers['retry-after']),
        }),
      )
    })
    sent.end(body)
  })
}

/** 503, or 409 while the first request with the same key is still running, with `Retry-After`. */
export function asksToRetry({ status, retryAfter }: HttpResponse): boolean {
  return (status === 503 || status === 409) && retryAfter !== undefined
}

export function closeConnections() {
  agent.destroy()
}

function retryAfterOf(header: string | undefined): Pick<HttpResponse, 'retryAfter'> {
  return header === undefined ? {} : { retryAfter: Number(header) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
