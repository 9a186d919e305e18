import { Socket } from 'node:net'
import pg, { type ClientConfig } from 'pg'

/** How long PostgreSQL may take for each answer while a connection is opened, ms. */
const ANSWER_TIMEOUT_MS = 3_000
/** With a round trip of 1 s, TCP, TLS, SCRAM and the probe take 6 to 9 s. */
export const OPEN_TIMEOUT_MS = 10_500
/** Until this long after it was opened, what a connection meets is also met by the one that replaces it, ms. */
const NEW_MS = 1_000

/** A connection to PostgreSQL that limits how long it takes to open, and knows when it last worked. */
export class DatabaseClient extends pg.Client {
  /** When PostgreSQL is known to have answered on this connection, by `performance.now()`. */
  answeredAt = performance.now()
  private openedAt = Infinity
  private readonly socket: Socket
  private readonly openTimer: NodeJS.Timeout

  constructor(config: ClientConfig) {
    const socket = new Socket()
    // The pool makes `password` not enumerable.
    const { password } = config
    super({ ...config, ...(password === undefined ? {} : { password }), stream: () => socket })
    this.socket = socket
    const fail = (timeoutMs: number) =>
      socket.destroy(new Error(`PostgreSQL did not answer a new connection within ${timeoutMs} ms`))
    // An answer restarts this timeout, so that only the latency of a single round trip is limited.
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => fail(ANSWER_TIMEOUT_MS))
    this.openTimer = setTimeout(() => fail(OPEN_TIMEOUT_MS), OPEN_TIMEOUT_MS).unref()
    socket.once('close', () => clearTimeout(this.openTimer))
  }

  /** Whether the connection was opened less than a second ago. */
  get isNew(): boolean {
    return performance.now() < this.openedAt + NEW_MS
  }

  /** Ends the time limit on opening the connection. */
  markOpen() {
    this.socket.setTimeout(0)
    clearTimeout(this.openTimer)
    this.answeredAt = this.openedAt = performance.now()
  }

  /** Closes the connection without a message to the server, which may be unreachable. */
  destroy() {
    this.socket.destroy()
  }
}
