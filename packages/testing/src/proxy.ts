import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy that can cut or delay connections, for tests of lost and slow responses. */
export interface Proxy {
  readonly port: number
  /** Drops the response to the next matching request and closes the connection. */
  loseNextAnswer(): void
  /** Holds the next matching request, and what follows it on its connection, until `release`. */
  holdNextRequest(): void
  /** Sends the held request, even if its client has disconnected; resolves when the server has answered it. */
  release(): Promise<void>
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
 * @param matches whether `loseNextAnswer` drops the response to this request, which the server still processes,
 * and whether `holdNextRequest` holds it
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
  let isHolding = false
  let held: { readonly upstream: Socket; readonly requests: Buffer[] } | undefined
  let delayMs = 0
  let accepted = 0
  const server = createServer((client) => {
    accepted++
    const upstream = connect(port, '127.0.0.1')
    let isAnswerLost = false
    let isLost = isLossy
    const lose = () => void (isLost = true)
    losses.add(lose)
    let wasHeld = false
    const end = () => {
      ends.delete(end)
      losses.delete(lose)
      client.destroy()
      // The client may disconnect before or after the release.
      if (!wasHeld) upstream.destroy()
    }
    ends.add(end)
    client.on('data', (data) => {
      if (isArmed && matches(data)) {
        isArmed = false
        isAnswerLost = true
      }
      if (isHolding && matches(data)) {
        isHolding = false
        wasHeld = true
        held = { upstream, requests: [] }
      }
      if (held?.upstream === upstream) held.requests.push(data)
      else if (!isLost) upstream.write(data)
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
    holdNextRequest: () => void (isHolding = true),
    release: async () => {
      if (!held) throw new Error('no request is held')
      const { upstream, requests } = held
      held = undefined
      const answered = once(upstream, 'data')
      upstream.write(Buffer.concat(requests))
      await answered
    },
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
