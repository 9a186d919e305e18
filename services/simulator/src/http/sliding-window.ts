const WINDOW_MS = 1_000

/** At most `limit` requests in any period of a second. A rejected request does not count. */
export class SlidingWindow {
  private readonly times: number[] = []

  constructor(private readonly limit: number) {}

  /** Requests in the second that ended with the latest one. */
  get count(): number {
    return this.times.length
  }

  /** Whether a request at this time is within the limit. */
  take(nowMs: number): boolean {
    while (this.times.length > 0 && this.times[0]! <= nowMs - WINDOW_MS) this.times.shift()
    if (this.times.length >= this.limit) return false
    this.times.push(nowMs)
    return true
  }
}
