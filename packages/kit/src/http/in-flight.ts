/**
 * Counts requests in flight, in total and by caller, and completed requests. A request counts as in flight for
 * one to two periods. After that it waits for something other than this process, such as its own body, a
 * password hash or a failover.
 */
export class InFlight {
  private current = new Generation()
  private previous = new Generation()
  private startedAt = performance.now()

  constructor(private readonly periodMs: number) {}

  get total(): number {
    return this.current.total + this.previous.total
  }

  of(caller: string): number {
    return this.current.of(caller) + this.previous.of(caller)
  }

  /** Requests completed in the last one to two periods, per millisecond. */
  completedPerMs(now: number): number {
    const completed = this.current.completed + this.previous.completed
    return completed / (now - this.startedAt + this.periodMs)
  }

  enter(caller: string): Admission {
    this.current.enter(caller)
    return new Admission(this.current, caller)
  }

  /** Counts a request that has completed, however old it is. */
  complete() {
    this.current.completed++
  }

  /** Starts a new generation if the period has passed. */
  expire(now: number): void {
    if (now - this.startedAt < this.periodMs) return
    this.previous = now - this.startedAt < 2 * this.periodMs ? this.current : new Generation()
    this.current = new Generation()
    this.startedAt = now
  }
}

/** An admitted request. It may leave before it completes, and only once. */
export class Admission {
  private hasLeft = false

  constructor(
    private readonly generation: Generation,
    private readonly caller: string,
  ) {}

  leave() {
    if (this.hasLeft) return
    this.hasLeft = true
    this.generation.leave(this.caller)
  }
}

/** The requests in flight that were admitted in one period. */
class Generation {
  total = 0
  completed = 0
  private readonly byCaller = new Map<string, number>()

  of(caller: string): number {
    return this.byCaller.get(caller) ?? 0
  }

  enter(caller: string) {
    this.total++
    this.byCaller.set(caller, this.of(caller) + 1)
  }

  leave(caller: string) {
    this.total--
    const count = this.of(caller) - 1
    if (count > 0) this.byCaller.set(caller, count)
    else this.byCaller.delete(caller)
  }
}
