/**
 * What waits at the same time travels together: all that a turn of the event loop brings, and what arrives
 * while crowds are under way goes with the next one. Nobody waits for company, so who comes alone leaves at
 * once.
 *
 * Each item gets its own result. Items that share a key never are in one crowd, and leave in the order in
 * which they came. While crowds come back in time, who would wait too long is turned away on arrival;
 * while none comes back, a bounded number waits for it.
 */
export interface BatchLimits {
  /** Crowds under way at once. */
  readonly maxInFlight: number
  /** Items in a crowd. */
  readonly maxItems: number
  /** Items that wait. */
  readonly maxQueued: number
  /** How long a crowd that is not full waits for one that is under way, ms. */
  readonly maxDelayMs: number
  /** How long the last item of a full crowd may have waited before others are turned away, ms. */
  readonly maxQueueTimeMs: number
  /** A crowd that is under way for longer has met an outage, and no wait for it counts as lag, ms. */
  readonly stallThresholdMs: number
}

export interface CallOptions {
  /** Until when a result is of use, ms since the epoch. */
  readonly deadline: number
  /** What it is for: an item whose request is over is not sent any more. */
  readonly requestContext?: { readonly isCompleted: boolean } | undefined
}

/** Turned away, since more arrives than can be sent. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded'
}

/** Whoever asked was gone before a result was there; what was under way may still have its effect. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned'
}

/** The deadline was over before a result was there; what was under way may still have its effect. */
export class DeadlineExceeded extends Error {
  override readonly name = 'TooLate'
}

interface PendingItem<Item, Result> extends CallOptions {
  readonly item: Item
  readonly cameAt: number
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

type Crowd<Item, Result> = readonly PendingItem<Item, Result>[]

/** How often deadlines are looked at, ms. */
const LOOK_EVERY_MS = 50

export class Batch<Item, Result> {
  private queue: PendingItem<Item, Result>[] = []
  /** The crowds under way, by when they left. */
  private readonly underWay = new Map<Crowd<Item, Result>, number>()
  private lagMs = 0
  private silentUntil = 0
  private departing: NodeJS.Immediate | undefined
  private looking: NodeJS.Timeout | undefined

  /**
   * @param send carries a crowd; gives a result for each item, in their order
   * @param keysOf what an item must not share with another of its crowd
   */
  constructor(
    private readonly send: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly keysOf: (item: Item) => readonly string[],
    private readonly limits: BatchLimits,
  ) {}

  /** @throws Overloaded, TooLate, Abandoned, or what `send` threw for the item's crowd */
  async call(item: Item, { deadline, requestContext }: CallOptions): Promise<Result> {
    if (this.isCompletedloaded()) throw new Overloaded('More arrives than can be sent')
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.queue.push({ item, deadline, requestContext, cameAt: Date.now(), resolve, reject })
    this.looking ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref()
    this.departSoon()
    return promise
  }

  /** Immediates run after all that this turn of the event loop has brought. */
  private departSoon() {
    this.departing ??= setImmediate(() => {
      this.departing = undefined
      this.depart()
    })
  }

  private isCompletedloaded(): boolean {
    if (this.queue.length >= this.limits.maxQueued) return true
    return (
      this.lagMs > this.limits.maxQueueTimeMs && this.oldestMs() <= this.limits.stallThresholdMs
    )
  }

  private depart() {
    while (this.queue.length > 0 && this.mayDepart()) {
      const crowd = this.board()
      if (crowd.length > 0) void this.carry(crowd)
    }
    if (this.queue.length === 0) this.lagMs = 0
  }

  /** Beside a crowd that is under way another leaves when it is full, or when that one takes long. */
  private mayDepart(): boolean {
    if (this.underWay.size === 0) return true
    if (this.underWay.size >= this.limits.maxInFlight) return false
    return this.queue.length >= this.limits.maxItems || this.oldestMs() > this.limits.maxDelayMs
  }

  /** For how long the oldest crowd has been under way. */
  private oldestMs(): number {
    const [leftAt = Infinity] = this.underWay.values()
    return Date.now() - leftAt
  }

  /** Takes the first of the queue that still wait; who is passed over for a key keeps its place, and its keys. */
  private board(): Crowd<Item, Result> {
    const crowd: PendingItem<Item, Result>[] = []
    const passedOver: PendingItem<Item, Result>[] = []
    const taken = new Set<string>()
    const now = Date.now()
    for (const passenger of this.queue) {
      if (hasGivenUp(passenger, now)) continue
      const hasSeat = crowd.length < this.limits.maxItems
      const keys = hasSeat ? this.keysOf(passenger.item) : []
      const isFree = hasSeat && !keys.some((key) => taken.has(key))
      for (const key of keys) taken.add(key)
      ;(isFree ? crowd : passedOver).push(passenger)
    }
    this.queue = passedOver
    const last = crowd.length === this.limits.maxItems ? crowd.at(-1) : undefined
    this.lagMs = last ? now - Math.max(last.cameAt, this.silentUntil) : 0
    return crowd
  }

  private async carry(crowd: Crowd<Item, Result>): Promise<void> {
    const leftAt = Date.now()
    this.underWay.set(crowd, leftAt)
    const impatience = this.setImpatience()
    try {
      const results = await this.send(crowd.map(({ item }) => item))
      crowd.forEach(({ resolve }, i) => resolve(results[i] as Result))
    } catch (error) {
      for (const { reject } of crowd) reject(error)
    } finally {
      clearInterval(impatience)
      this.underWay.delete(crowd)
      if (Date.now() - leftAt > this.limits.stallThresholdMs) this.silentUntil = Date.now()
      this.departSoon()
    }
  }

  /**
   * Looks whether somebody waits when a crowd that has just left has been under way for too long. A timer
   * counts from the begin of the turn that sets it, so the first look may be too early, and is not the last.
   */
  private setImpatience(): NodeJS.Timeout | undefined {
    const { maxInFlight, maxDelayMs } = this.limits
    if (maxInFlight === 1) return undefined
    return setInterval(() => this.depart(), maxDelayMs + 1).unref()
  }

  /** Tells those whose time is over; what is under way goes on without them. */
  private look() {
    const now = Date.now()
    this.queue = this.queue.filter((passenger) => !hasGivenUp(passenger, now))
    for (const passenger of [...this.underWay.keys()].flat()) hasGivenUp(passenger, now)
    if (this.queue.length > 0 || this.underWay.size > 0) return
    clearInterval(this.looking)
    this.looking = undefined
  }
}

/** Whether nobody waits for its result any longer; it is told why then. */
function hasGivenUp(
  { deadline, requestContext, reject }: PendingItem<unknown, never>,
  now: number,
) {
  if (requestContext?.isCompleted) reject(new Abandoned('Nobody waits for it any longer'))
  else if (deadline <= now) reject(new DeadlineExceeded('The deadline is over'))
  else return false
  return true
}
