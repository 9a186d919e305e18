import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request as bytes, and the connection that it came on. */
export interface RawRequest {
  readonly text: string
  readonly socket: Socket
  /** Counts requests from 1 on, over all connections. */
  readonly nth: number
}

export interface RawServer {
  readonly port: number
  readonly url: string
  readonly requests: readonly string[]
  readonly connections: number
  /** All bytes that clients have sent, without those of TLS. */
  readonly bytes: number
}

interface Behaviour {
  /** Called with each complete request. */
  readonly onRequest?: (request: RawRequest) => void
  readonly onConnection?: (socket: Socket) => void
  /** Accepts plain TCP by default. */
  readonly server?: Server
}

/** A server that answers in bytes, so that it can do what HTTP forbids. It is closed when the test ends. */
export async function startRawServer(behaviour: Behaviour): Promise<RawServer> {
  const { onRequest, onConnection, server = createServer() } = behaviour
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const counts = { connections: 0, bytes: 0 }
  const event = 'setSecureContext' in server ? 'secureConnection' : 'connection'
  server.on(event, (socket: Socket) => {
    counts.connections++
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    let buffered = ''
    socket.on('data', (data: Buffer) => {
      counts.bytes += data.length
      buffered += data.toString('latin1')
      for (let end = endOf(buffered); end > 0; end = endOf(buffered)) {
        const text = buffered.slice(0, end)
        buffered = buffered.slice(end)
        const nth = requests.push(text)
        onRequest?.({ text, socket, nth })
      }
    })
    onConnection?.(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    get connections() {
      return counts.connections
    },
    get bytes() {
      return counts.bytes
    },
  }
}

/** The length of the first complete request; 0 if there is none. */
function endOf(text: string): number {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return 0
  const [, length = '0'] = /^content-length: (\d+)/im.exec(text.slice(0, head)) ?? []
  const end = head + 4 + Number(length)
  return text.length < end ? 0 : end
}

/** An answer in HTTP/1.1 with a length. */
export function httpAnswer(status: number, body = '', headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status} Answer`, `content-length: ${Buffer.byteLength(body)}`]
  return `${[...lines, ...headers].join('\r\n')}\r\n\r\n${body}`
}
