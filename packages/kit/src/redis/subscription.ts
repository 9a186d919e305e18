import type { Redis as Client } from 'ioredis'
import { startHeartbeat } from './heartbeat.js'

interface Subscriber {
  readonly onMessage: (message: string) => void
  /** Called when messages may have been lost. */
  readonly onLoss: () => void
}

/** The pause between attempts to subscribe on a connection whose server refuses it. */
const RETRY_MS = 1_000

/** A subscription to a channel over its own connection, which it renews when the connection does. */
export class Subscription {
  /** Messages are lost while this is false, and until the heartbeat notices that a connection is dead. */
  isLive = false
  private retryAt = 0

  constructor(
    private readonly client: Client,
    private readonly channel: string,
    readonly subscriber: Subscriber,
  ) {
    client.on('message', (_, message: string) => subscriber.onMessage(message))
    client.on('close', () => {
      this.isLive = false
      this.retryAt = 0
      subscriber.onLoss()
    })
    startHeartbeat(client, () => this.beat())
  }

  private async beat(): Promise<void> {
    const now = performance.now()
    if (this.isLive || now < this.retryAt) {
      await this.client.ping()
      return
    }
    this.retryAt = now + RETRY_MS
    await this.client.subscribe(this.channel)
    this.isLive = this.client.status === 'ready'
  }
}
