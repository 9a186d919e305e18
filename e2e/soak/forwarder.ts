import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP forwarder before the replicas of a service: each new connection goes to the next one that accepts it. */
export interface Forwarder {
  readonly port: number
  close(): Promise<void>
}

export async function startForwarder(ports: readonly number[]): Promise<Forwarder> {
  const clients = new Set<Socket>()
  let next = 0
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client)).on('error', () => client.destroy())
    const order = ports.map((_, n) => ports[(next + n) % ports.length] as number)
    next = (next + 1) % ports.length
    forward(client, order)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const client of clients) client.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Connects a client to the first of the ports that accepts; no port accepts while all replicas are down. */
function forward(client: Socket, [port, ...others]: readonly number[]) {
  if (port === undefined || client.destroyed) {
    client.destroy()
    return
  }
  const upstream = connect(port, '127.0.0.1')
  let isConnected = false
  upstream.on('connect', () => {
    isConnected = true
    client.pipe(upstream).pipe(client)
  })
  upstream.on('error', () => (isConnected ? client.destroy() : forward(client, others)))
  client.on('close', () => upstream.destroy())
}
