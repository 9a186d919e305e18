import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A merchant's server, which records the notifications that it receives. */

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** ms since 1970. */
  readonly at: number
}

type Respond = (response: ServerResponse, nth: number) => void

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** How requests are answered from now on. */
  respond: Respond
  close(): Promise<void>
}

export const OK: Respond = (response) => response.writeHead(204).end()
export const status =
  (code: number, headers: Record<string, string> = {}): Respond =>
  (response) =>
    response.writeHead(code, headers).end(`status ${code}`)

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      received.push({ headers: request.headers, body, at: Date.now() })
      receiver.respond(response, received.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    respond: OK,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return receiver
}
