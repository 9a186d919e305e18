import { Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as TlsAgent, request as requestHttps } from 'node:https'

/** A request that a provider sends to a merchant. */
export interface Callback {
  readonly method: 'POST' | 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An idle connection is closed long before the server closes it, which takes 5 s in Node.js by default. */
const IDLE_MS = 2_000
const CONNECTIONS = { keepAlive: true, maxSockets: 64, timeout: IDLE_MS }

/** Sends callbacks: each once, without following redirects. */
export class Callbacks {
  private readonly agents = { 'http:': new Agent(CONNECTIONS), 'https:': new TlsAgent(CONNECTIONS) }

  constructor(private readonly timeoutMs: number) {}

  /** The status of the response, or `timeout` or the code of the error that prevented one. */
  async send({ url, method, headers, body }: Callback): Promise<number | string> {
    const target = new URL(url)
    const isTls = target.protocol === 'https:'
    const { promise, resolve } = Promise.withResolvers<number | string>()
    const request = (isTls ? requestHttps : requestHttp)(target, {
      method,
      agent: isTls ? this.agents['https:'] : this.agents['http:'],
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      // Also limits the wait for a free connection.
      signal: AbortSignal.timeout(this.timeoutMs),
    })
    request.on('response', (response: IncomingMessage) => {
      response.on('error', () => undefined).resume()
      resolve(response.statusCode ?? 0)
    })
    request.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ABORT_ERR' ? 'timeout' : (error.code ?? error.name))
    })
    request.end(body)
    return promise
  }

  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy()
  }
}
