import { connect, createServer, type AddressInfo } from 'node:net'

/** A TCP proxy that can cut or delay connections, for tests of lost and slow responses. */
export interface Proxy {
  readonly port: number
  /** Drops the response to the next matching request and closes the connection. */
  loseNextAnswer(): void
  /** Delays all later responses by `ms`; 0 disables the delay. */
  slow(ms: number): void
  /** Connects new clients to another port; existing connections stay open. */
  retarget(port: number): void
  /** Closes every open connection, but still accepts new ones. */
  cut(): void
  /**
   * Loses every open connection without closing it: nothing is forwarded on it anymore. With `isLossy`, the same
   * happens to new connections until `lose(false)`; connections lost before stay lost.
   */
  lose(isLossy: boolean): void
  /** How many connections were accepted. */
  readonly accepted: number
  close(): Promise<void>
}

/**
 * Starts a proxy to a port of this machine.
 *
 * @param matches whether `loseNextAnswer` drops the response to this request; the server still processes
 * the request
 */
export async function startProxy(
  targetPort: number,
  matches: (data: Buffer) => boolean = () => true,
): Promise<Proxy> {
  const ends = new Set<() => void>()
  const losses = new Set<() => void>()
  let isLossy = false
  let port = targetPort
  let isArmed = false
  let delayMs = 0
  let accepted = 0
  const server = createServer((client) => {
    accepted++
    const upstream = connect(port, '127.0.0.1')
    let isAnswerLost = false
    let isLost = isLossy
    const lose = () => void (isLost = true)
    losses.add(lose)
    const end = () => {
      ends.delete(end)
      losses.delete(lose)
      client.destroy()
      upstream.destroy()
    }
    ends.add(end)
    client.on('data', (data) => {
      if (isArmed && matches(data)) {
        isArmed = false
        isAnswerLost = true
      }
      if (!isLost) upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (isLost) return
      if (isAnswerLost) end()
      else if (delayMs > 0) setTimeout(() => client.write(data), delayMs)
      else client.write(data)
    })
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const end of ends) end()
  }
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer: () => void (isArmed = true),
    slow: (ms) => void (delayMs = ms),
    retarget: (other) => void (port = other),
    cut,
    lose: (lossy) => {
      isLossy = lossy
      for (const lose of losses) lose()
    },
    get accepted() {
      return accepted
    },
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
