import { type Answer, conformity, type OpenApiDocument } from './conformity.js'

/** The options of a request besides its method and path. */
export interface RequestOptions {
  /** Sent as JSON, except for a string or bytes, which are sent unchanged. */
  body?: unknown
  token?: string
  headers?: Record<string, string>
  /** Aborts the request, like a client that disconnects. */
  signal?: AbortSignal
}

/**
 * An HTTP client that checks each response against the service's OpenAPI document. An undocumented status
 * or body fails the test.
 */
export class Client {
  private check: ((method: string, path: string, answer: Answer) => void) | undefined

  constructor(readonly url: string) {}

  get(path: string, options?: RequestOptions): Promise<Answer> {
    return this.send('GET', path, options)
  }

  post(path: string, body: unknown, options: RequestOptions = {}): Promise<Answer> {
    return this.send('POST', path, { ...options, body })
  }

  async send(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const answer = await this.sendUnchecked(method, path, options)
    this.check ??= conformity(await this.document())
    this.check(method, path, answer)
    return answer
  }

  async sendUnchecked(method: string, path: string, options: RequestOptions): Promise<Answer> {
    const { body, token, headers = {}, signal = AbortSignal.timeout(40_000) } = options
    const raw = typeof body === 'string' || body instanceof Uint8Array
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
    })
    return { status: response.status, headers: response.headers, body: await parsed(response) }
  }

  async document(): Promise<OpenApiDocument> {
    const response = await fetch(`${this.url}/docs-json`)
    return (await response.json()) as OpenApiDocument
  }
}

/** The parsed body is untyped, because the OpenAPI check has already validated its structure. */
// oxlint-disable-next-line typescript/no-explicit-any
async function parsed(response: Response): Promise<any> {
  const text = await response.text()
  if (!(response.headers.get('content-type') ?? '').includes('json')) return text
  return JSON.parse(text)
}
