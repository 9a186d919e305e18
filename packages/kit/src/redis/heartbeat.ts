import type { Redis as Client } from 'ioredis'

const INTERVAL_MS = 500

/**
 * Calls `beat` at once when a connection becomes ready, and 500 ms after each beat. Its command is what the
 * connection's `socketTimeout` waits for, so that a connection that died without a packet is replaced.
 */
export function startHeartbeat(client: Client, beat: () => Promise<unknown>): void {
  let next: NodeJS.Timeout | undefined
  const run = async () => {
    if (client.status !== 'ready') return
    await beat().catch(() => undefined)
    // The commands of a connection are rejected before the next one is ready, which clears this timer.
    next = setTimeout(() => void run(), INTERVAL_MS).unref()
  }
  client.on('ready', () => {
    clearTimeout(next)
    void run()
  })
  client.on('end', () => clearTimeout(next))
}
