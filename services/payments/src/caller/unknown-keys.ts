import { networksOf } from '@malipo/kit/http/network'
import type { RejectedTokens } from './rejected-tokens.js'

/** Requests of a network that wait. A further one is throttled. */
const MAX_WAITING = 100

/**
 * Checks in progress of API keys that this replica has never accepted. Those of a network, and its rejections, are at
 * most the limit of rejections: otherwise concurrent guesses would exceed it before the first of them is rejected. A
 * further check waits until another one has ended, since their keys may be valid.
 */
export class UnknownKeys {
  /** Checks in progress by network. */
  private readonly checks = new Map<string, number>()
  /** Requests that wait for a check of their network to end. */
  private readonly waiting = new Map<string, (() => void)[]>()

  constructor(private readonly rejected: RejectedTokens) {}

  /**
   * Begins a check, which the caller must end.
   *
   * @returns 0, or the seconds after which to repeat the request: then no check has begun
   */
  async begin(address: string): Promise<number> {
    const networks = networksOf(address)
    for (;;) {
      const seconds = this.rejected.retryAfterSeconds(address)
      if (seconds > 0) return seconds
      const full = this.rejected.fullNetwork(networks, (network) => this.checks.get(network) ?? 0)
      if (full === undefined) {
        for (const network of networks) this.count(network, 1)
        return 0
      }
      const waiting = this.waiting.get(full) ?? []
      if (waiting.length >= MAX_WAITING) return 1
      this.waiting.set(full, waiting)
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }

  /** Ends a check, after its rejection is recorded. */
  end(address: string): void {
    for (const network of networksOf(address)) {
      this.count(network, -1)
      const waiting = this.waiting.get(network)
      this.waiting.delete(network)
      for (const resume of waiting ?? []) resume()
    }
  }

  private count(network: string, change: 1 | -1): void {
    const checks = (this.checks.get(network) ?? 0) + change
    if (checks > 0) this.checks.set(network, checks)
    else this.checks.delete(network)
  }
}
