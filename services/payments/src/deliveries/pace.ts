/** The tries that may begin at once after a pause, in seconds of the rate. Larger batches cost less for each delivery. */
const BURST_SECONDS = 0.1

/** Limits the tries that a replica begins in a second, by a token bucket: a backlog leaves requests their share of the CPU. */
export class Pace {
  private readonly burst: number
  private tokens: number
  private filledAt = performance.now()

  constructor(private readonly perSecond: number) {
    this.burst = Math.max(1, perSecond * BURST_SECONDS)
    this.tokens = this.burst
  }

  /** How many tries may begin now. */
  available(): number {
    this.refill()
    return Math.floor(this.tokens)
  }

  take(count: number): void {
    this.tokens -= count
  }

  /** After how many ms half of a burst may begin. */
  pauseMs(): number {
    this.refill()
    const missing = Math.max(1, this.burst / 2) - this.tokens
    return Math.max(0, (missing / this.perSecond) * 1_000)
  }

  private refill() {
    const now = performance.now()
    const gained = ((now - this.filledAt) / 1_000) * this.perSecond
    this.tokens = Math.min(this.burst, this.tokens + gained)
    this.filledAt = now
  }
}
