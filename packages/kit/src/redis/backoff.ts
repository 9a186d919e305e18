const FIRST_PAUSE_MS = 50
const MAX_PAUSE_MS = 1_000
/** A connection that lasts this long counts as a success. */
const LASTING_MS = 10_000

/**
 * The pauses between connection attempts: each twice as long as the one before, up to 1 s. A server that
 * accepts connections and closes them soon does not reset them.
 */
export class Backoff {
  private attempts = 0
  private readyAt: number | undefined

  /** Records that a connection is ready. */
  ready(nowMs: number): void {
    this.readyAt = nowMs
  }

  /**
   * The pause before the next attempt, in ms.
   * @param random from 0 to 1; it shortens the pause by up to a tenth, so that clients don't connect in step
   */
  next(nowMs: number, random: number): number {
    if (this.readyAt !== undefined && nowMs - this.readyAt >= LASTING_MS) this.attempts = 0
    this.readyAt = undefined
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempts)
    this.attempts++
    return pauseMs * (1 - random / 10)
  }
}
