import type { BusyEndpoint, ClaimedDelivery } from './claim.store.js'
import { MAX_IN_FLIGHT, MAX_PER_ENDPOINT, MAX_SLOW, SLOW_MS } from './limits.js'

interface RunningTry {
  readonly claimed: ClaimedDelivery
  readonly startedAt: number
  readonly ended: Promise<void>
}

/** The tries that this replica makes now, and the room for more. */
export class RunningTries {
  private readonly running = new Set<RunningTry>()

  get free(): number {
    return MAX_IN_FLIGHT - this.running.size
  }

  /** The room for tries at slow endpoints. Those that have been under way for as long count as well. */
  get freeSlow(): number {
    const now = performance.now()
    let count = 0
    for (const { claimed, startedAt } of this.running) {
      if (claimed.isSlow || now - startedAt > SLOW_MS) count++
    }
    return Math.max(0, MAX_SLOW - count)
  }

  /** Adds a try until it ends. */
  add(claimed: ClaimedDelivery, ended: Promise<void>): void {
    const running = { claimed, startedAt: performance.now(), ended }
    this.running.add(running)
    void ended.finally(() => this.running.delete(running))
  }

  hasRoomAt(endpointId: string): boolean {
    let count = 0
    for (const { claimed } of this.running) if (claimed.endpointId === endpointId) count++
    return count < MAX_PER_ENDPOINT
  }

  byEndpoint(): BusyEndpoint[] {
    const busy = new Map<string, { endpointId: string; ownerId: string; tries: number }>()
    for (const { claimed } of this.running) {
      const { endpointId, ownerId } = claimed
      const known = busy.get(endpointId)
      if (known) known.tries++
      else busy.set(endpointId, { endpointId, ownerId, tries: 1 })
    }
    return [...busy.values()]
  }

  async allEnded(): Promise<void> {
    await Promise.all([...this.running].map(({ ended }) => ended))
  }
}
