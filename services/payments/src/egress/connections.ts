import { type buildConnector, Client } from 'undici'
import { CONNECTION_OPTIONS } from '../providers/client/connectors.js'

/** Of all hosts together. */
const MAX_IDLE = 100

/** A connection for one request at a time. */
export interface Connection {
  readonly origin: string
  readonly client: Client
  /** Whether the server has answered a request on it. */
  readonly isUsed: boolean
}

/**
 * Connections to hosts. The `Agent` of undici is not used: after a request that was aborted, it opens another connection
 * to the host at once, without a request, so that each try of a silent endpoint would cost two.
 */
export class Connections {
  private readonly idle = new Map<string, Client[]>()
  private readonly all = new Set<Client>()
  private idleCount = 0

  constructor(private readonly connect: buildConnector.connector) {}

  /** A connection that the request opens, or with `mayBeUsed` the one that was used last. */
  take(origin: string, mayBeUsed: boolean): Connection {
    const client = mayBeUsed ? this.idle.get(origin)?.at(-1) : undefined
    if (client) this.withdraw(origin, client)
    return { origin, client: client ?? this.open(origin), isUsed: client !== undefined }
  }

  /** @param isReusable whether the answer was received in full */
  release({ origin, client }: Connection, isReusable: boolean) {
    if (!isReusable || this.idleCount >= MAX_IDLE || !this.all.has(client)) {
      this.drop(origin, client)
      return
    }
    const others = this.idle.get(origin)
    if (others) others.push(client)
    else this.idle.set(origin, [client])
    this.idleCount++
  }

  async destroy() {
    await Promise.all([...this.all].map((client) => client.destroy()))
  }

  private open(origin: string): Client {
    const client = new Client(origin, { connect: this.connect, ...CONNECTION_OPTIONS })
    this.all.add(client)
    client.on('disconnect', () => this.drop(origin, client))
    return client
  }

  private drop(origin: string, client: Client) {
    this.all.delete(client)
    this.withdraw(origin, client)
    void client.destroy()
  }

  private withdraw(origin: string, client: Client) {
    const clients = this.idle.get(origin) ?? []
    const index = clients.indexOf(client)
    if (index < 0) return
    this.idleCount--
    clients.splice(index, 1)
    if (clients.length === 0) this.idle.delete(origin)
  }
}
