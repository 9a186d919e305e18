import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A proxy that opens tunnels. */
export interface ProxyServer {
  readonly url: string
  /** The target of each CONNECT. */
  readonly targets: readonly string[]
  readonly connections: number
}

interface Behaviour {
  /** Handles a CONNECT instead of a tunnel. */
  readonly onConnect?: (socket: Socket) => void
  /** Speaks TLS with clients. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** It is closed when the test ends. */
export async function startProxyServer({ onConnect, tls }: Behaviour = {}): Promise<ProxyServer> {
  const server = tls ? createTlsServer(tls) : createServer()
  const targets: string[] = []
  const sockets = new Set<Socket>()
  const counts = { connections: 0 }
  server.on('connection', (socket: Socket) => {
    counts.connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.on('connect', ({ url = '' }: IncomingMessage, client: Socket) => {
    targets.push(url)
    client.on('error', () => undefined)
    if (onConnect) {
      onConnect(client)
      return
    }
    const { hostname, port } = new URL(`tcp://${url}`)
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connected\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    upstream.on('error', () => client.destroy())
    client.on('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    targets,
    get connections() {
      return counts.connections
    },
  }
}
