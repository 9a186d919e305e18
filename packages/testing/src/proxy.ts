import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy whose wires a test can cut, to see what a client makes of a lost answer. */
export interface Proxy {
  readonly port: number
  /** From now on answers from the server are swallowed, and the client is cut off at the first. */
  loseNextAnswer(): void
  /** From now on answers from the server come so much later; 0: at once again. */
  slow(ms: number): void
  /** New connections go to another port; those that there are stay until they are cut. */
  retarget(port: number): void
  /** Cuts every connection; new ones are taken. */
  cut(): void
  close(): Promise<void>
}

/**
 * Starts a proxy to a port of this machine.
 *
 * @param matches which client data `loseNextAnswer` waits for, so that it is the answer to a certain
 * statement that gets lost, after the server has carried it out
 */
export async function startProxy(
  targetPort: number,
  matches: (data: Buffer) => boolean = () => true,
): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>()
  let port = targetPort
  let armed = false
  let delayMs = 0
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    const pair: [Socket, Socket] = [client, upstream]
    let losing = false
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    client.on('data', (data) => {
      if (armed && matches(data)) {
        armed = false
        losing = true
      }
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (losing) end()
      else if (delayMs > 0) setTimeout(() => client.write(data), delayMs)
      else client.write(data)
    })
    for (const socket of pair) socket.on('close', end).on('error', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const [client, upstream] of pairs) {
      client.destroy()
      upstream.destroy()
    }
  }
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer: () => void (armed = true),
    slow: (ms) => void (delayMs = ms),
    retarget: (other) => void (port = other),
    cut,
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
