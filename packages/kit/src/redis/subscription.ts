import type { Redis as Client } from 'ioredis'

export interface Subscription {
  /** Whether messages are received. */
  readonly isLive: boolean
}

interface Handlers {
  readonly onMessage: (message: string) => void
  /** Called when the subscription ceases to be live. */
  readonly onLoss: () => void
}

/** Subscribes on each connection that the client makes, also after a reconnect. */
export function subscribeTo(
  channel: string,
  client: Client,
  { onMessage, onLoss }: Handlers,
): Subscription {
  const subscription = { isLive: false }
  client.options.autoResubscribe = false
  client.on('error', () => undefined)
  client.on('message', (_, message: string) => onMessage(message))
  client.on('ready', () => {
    client.subscribe(channel).then(
      () => (subscription.isLive = client.status === 'ready'),
      // Reconnects, and so subscribes again.
      () => client.disconnect(true),
    )
  })
  client.on('close', () => {
    subscription.isLive = false
    onLoss()
  })
  return subscription
}
