/** Opens after consecutive failures, then allows one call per interval; the first success closes it. */
export class CircuitBreaker {
  private failures = 0
  private retryAt = 0

  constructor(
    private readonly limits: { readonly maxFailures: number; readonly retryIntervalMs: number },
  ) {}

  get isOpen(): boolean {
    return this.failures >= this.limits.maxFailures
  }

  /** Whether to make a call now. While the circuit is open, `true` counts as the interval's retry. */
  allows(nowMs: number): boolean {
    if (!this.isOpen) return true
    if (nowMs < this.retryAt) return false
    this.retryAt = nowMs + this.limits.retryIntervalMs
    return true
  }

  recordSuccess(): void {
    this.failures = 0
  }

  recordFailure(nowMs: number): void {
    this.failures++
    this.retryAt = nowMs + this.limits.retryIntervalMs
  }
}
