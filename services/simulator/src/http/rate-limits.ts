import { SlidingWindow } from './sliding-window.js'

/** Accounts whose requests are limited at the same time. */
const MAX_ACCOUNTS = 2_000

/** The limits on status queries, one for each account. */
export class RateLimits {
  private readonly windows = new Map<string, SlidingWindow>()

  constructor(private readonly now: () => number = Date.now) {}

  /** Whether a request of this account is within its limit. */
  take(provider: string, account: string, perSecond: number): boolean {
    const key = `${provider}:${account}`
    const existing = this.windows.get(key)
    if (existing) return existing.take(this.now())
    if (this.windows.size >= MAX_ACCOUNTS) this.windows.clear()
    const window = new SlidingWindow(perSecond)
    this.windows.set(key, window)
    return window.take(this.now())
  }
}
