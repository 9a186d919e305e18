import { Agent, request } from 'node:http'

/** The platform as a client sees it: through the edge, over connections that are kept. */

const EDGE = new URL(process.env.EDGE_URL ?? 'http://127.0.0.1:8080')
export const HOST = process.env.EDGE_HOST ?? 'drill.malipo.test'

/** A client's own limit: over what a request waits for its caller's token and its database together. */
const ANSWER_TIMEOUT_MS = 40_000
const MOST_SOCKETS = 512

const agent = new Agent({ keepAlive: true, maxSockets: MOST_SOCKETS })

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** What came back; status 0 and the error's code when nothing did. */
export interface Answer {
  readonly status: number
  readonly replayed: boolean
  readonly body: unknown
}

/** Sends one request; an answer that never comes is an answer too. */
export async function send(call: Call): Promise<Answer> {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body)
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, replayed: false, body: error.code ?? error.message })
    const sent = request({
      agent,
      host: EDGE.hostname,
      port: EDGE.port,
      method: call.method,
      path: call.path,
      headers: {
        host: HOST,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...call.headers,
      },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
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
          body: parsed(Buffer.concat(parts).toString('utf8')),
        }),
      )
    })
    sent.end(body)
  })
}

export function hangUp() {
  agent.destroy()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
