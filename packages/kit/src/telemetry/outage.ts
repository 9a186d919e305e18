import type { Logger } from './logger.js'

/**
 * Logs an outage of a dependency with two lines: its cause in full when the wait for it begins, and its length
 * when it ends. The requests in between appear only in the access log.
 */
export class Outage {
  private beganAt: number | undefined
  private failedAt = 0
  private answeredAt: number | undefined

  /** @param dependency the subject of both lines, such as `the database` */
  constructor(
    private readonly log: Logger,
    private readonly dependency: string,
  ) {}

  get isActive(): boolean {
    return this.beganAt !== undefined
  }

  /**
   * Logs the first cause. Later ones often only follow from it, and are ignored until `end`.
   *
   * @param details further fields of the line
   */
  begin(cause: unknown, details: Readonly<Record<string, unknown>> = {}): void {
    this.failedAt = performance.now()
    this.answeredAt = undefined
    if (this.isActive) return
    this.beganAt = this.failedAt
    this.log.warn({ err: cause, ...details }, `${this.dependency} is unavailable`)
  }

  /**
   * Called for each success. Ends the outage when `begin` has not been called for `quietMs`: a dependency may answer
   * some calls and not others.
   */
  endIfQuiet(quietMs: number): void {
    if (this.beganAt === undefined) return
    const now = performance.now()
    this.answeredAt ??= now
    if (now >= this.failedAt + quietMs) this.end(this.answeredAt)
  }

  /** @param at when the dependency worked again, by `performance.now()`, if that is not now */
  end(at = performance.now()): void {
    if (this.beganAt === undefined) return
    const durationMs = Math.max(0, Math.round(at - this.beganAt))
    this.beganAt = undefined
    this.log.info({ durationMs }, `${this.dependency} is available again`)
  }
}
