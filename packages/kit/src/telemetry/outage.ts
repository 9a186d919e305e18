import type { Logger } from './logger.js'

/**
 * Logs an outage of a dependency with two lines: its cause in full when the wait for it begins, and its length
 * when it ends. The requests in between appear only in the access log.
 */
export class Outage {
  private beganAt: number | undefined

  /** @param dependency the subject of both lines, such as `the database` */
  constructor(
    private readonly log: Logger,
    private readonly dependency: string,
  ) {}

  get isActive(): boolean {
    return this.beganAt !== undefined
  }

  /** Logs the first cause. Later ones often only follow from it, and are ignored until `end`. */
  begin(cause: unknown): void {
    if (this.isActive) return
    this.beganAt = performance.now()
    this.log.warn({ err: cause }, `${this.dependency} is unavailable`)
  }

  end(): void {
    if (this.beganAt === undefined) return
    const durationMs = Math.round(performance.now() - this.beganAt)
    this.beganAt = undefined
    this.log.info({ durationMs }, `${this.dependency} is available again`)
  }
}
