/**
 * Leaves a dependency alone that keeps failing, so that nobody waits for it in vain: after some failures
 * in a row only one call in each pause goes to it, and the first that succeeds lets all go again.
 *
 * Pure: the time is an argument, ms on any clock that doesn't go back.
 */
export class Breaker {
  private failures = 0
  private nextTryAt = 0

  constructor(private readonly limits: { readonly failures: number; readonly pauseMs: number }) {}

  get isOpen(): boolean {
    return this.failures >= this.limits.failures
  }

  /** Whether to make a call now. A yes while it is open is the one try of this pause. */
  admits(nowMs: number): boolean {
    if (!this.isOpen) return true
    if (nowMs < this.nextTryAt) return false
    this.nextTryAt = nowMs + this.limits.pauseMs
    return true
  }

  succeeded(): void {
    this.failures = 0
  }

  failed(nowMs: number): void {
    this.failures++
    this.nextTryAt = nowMs + this.limits.pauseMs
  }
}
