/**
 * Counts open requests, requests in flight, in total and by caller, and completed requests. A request counts as
 * in flight for one to two periods. After that it waits for something other than this process, such as its own
 * body, a password hash or a failover.
 */
export class InFlight {
  /** Requests that were admitted and have not completed, except those that are held. */
  open = 0
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
    return new Admission(this, caller)
  }

  /** Counts a request in the current generation, which it leaves later. */
  join(caller: string): Generation {
    this.current.enter(caller)
    return this.current
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
  /** Undefined once the request has left. */
  private generation: Generation | undefined
  private isHeld = false

  constructor(
    private readonly inFlight: InFlight,
    private readonly caller: string,
  ) {
    this.generation = inFlight.join(caller)
    inFlight.open++
  }

  /** The request is not in flight any more: it waits for something other than the event loop and the database. */
  leave() {
    this.generation?.leave(this.caller)
    this.generation = undefined
  }

  /** The request counts as neither in flight nor open until it resumes. */
  hold() {
    this.leave()
    if (this.isHeld) return
    this.isHeld = true
    this.inFlight.open--
  }

  /** The request counts again, like one that was just admitted. */
  resume() {
    if (!this.isHeld) return
    this.isHeld = false
    this.inFlight.expire(performance.now())
    this.generation = this.inFlight.join(this.caller)
    this.inFlight.open++
  }

  /** A request that completes while it is held says nothing about how long requests take. */
  complete() {
    this.leave()
    if (this.isHeld) return
    this.inFlight.complete()
    this.inFlight.open--
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
