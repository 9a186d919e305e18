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
  /** Closes each connection after it has returned this many bytes. */
  cutAfter(bytes: number): void
  /**
   * Loses every open connection without closing it: nothing is forwarded on it anymore. With `isLossy`, the same
   * happens to new connections until `lose(false)`; connections lost before stay lost.
   */
  lose(isLossy: boolean): void
  /** How many connections were accepted. */
  readonly accepted: number
  close(): Promise<void>
}

/** What the connections of a proxy share. */
interface State {
  readonly matches: (data: Buffer) => boolean
  readonly connections: Set<{ readonly end: () => void; readonly lose: () => void }>
  port: number
  delayMs: number
  maxBytes: number
  accepted: number
  isLossy: boolean
  losesNextAnswer: boolean
  holdsNextRequest: boolean
  held: { readonly upstream: Socket; readonly requests: Buffer[] } | undefined
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
  const state: State = {
    matches,
    connections: new Set(),
    port: targetPort,
    delayMs: 0,
    maxBytes: Infinity,
    accepted: 0,
    isLossy: false,
    losesNextAnswer: false,
    holdsNextRequest: false,
    held: undefined,
  }
  const server = createServer((client) => forward(client, state))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const { end } of state.connections) end()
  }
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer: () => void (state.losesNextAnswer = true),
    holdNextRequest: () => void (state.holdsNextRequest = true),
    release: () => release(state),
    slow: (ms) => void (state.delayMs = ms),
    retarget: (other) => void (state.port = other),
    cut,
    cutAfter: (bytes) => void (state.maxBytes = bytes),
    lose: (isLossy) => {
      state.isLossy = isLossy
      for (const { lose } of state.connections) lose()
    },
    get accepted() {
      return state.accepted
    },
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Connects a client to the server. */
function forward(client: Socket, state: State) {
  state.accepted++
  const upstream = connect(state.port, '127.0.0.1')
  let isLost = state.isLossy
  let isAnswerLost = false
  let wasHeld = false
  let returned = 0
  const connection = {
    lose: () => void (isLost = true),
    end: () => {
      state.connections.delete(connection)
      client.destroy()
      // The client may disconnect before or after the release.
      if (!wasHeld) upstream.destroy()
    },
  }
  state.connections.add(connection)
  client.on('data', (data) => {
    if (state.losesNextAnswer && state.matches(data)) {
      state.losesNextAnswer = false
      isAnswerLost = true
    }
    if (state.holdsNextRequest && state.matches(data)) {
      state.holdsNextRequest = false
      wasHeld = true
      state.held = { upstream, requests: [] }
    }
    if (state.held?.upstream === upstream) state.held.requests.push(data)
    else if (!isLost) upstream.write(data)
  })
  upstream.on('data', (data) => {
    if (isLost) return
    returned += data.length
    if (isAnswerLost || returned > state.maxBytes) connection.end()
    else if (state.delayMs > 0) setTimeout(() => client.write(data), state.delayMs)
    else client.write(data)
  })
  for (const socket of [client, upstream]) {
    socket.on('close', connection.end).on('error', connection.end)
  }
}

async function release(state: State): Promise<void> {
  if (!state.held) throw new Error('no request is held')
  const { upstream, requests } = state.held
  state.held = undefined
  const answered = once(upstream, 'data')
  upstream.write(Buffer.concat(requests))
  await answered
}
