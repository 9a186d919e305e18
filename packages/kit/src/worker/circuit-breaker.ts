/** Opens after `maxFailures` failures in a row, then allows one call per interval until a call succeeds. */
export class CircuitBreaker {
  private failures = 0
  private retryAt = 0

  constructor(
    private readonly limits: { readonly maxFailures: number; readonly retryIntervalMs: number },
  ) {}

  get isOpen(): boolean {
    return this.failures >= this.limits.maxFailures
  }

  /** Whether to make a call now. While the circuit is open, `true` uses up the one call of the interval. */
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
