import { Abandoned } from '../telemetry/request-context.js'

export interface BatchLimits {
  /** Maximum batches in flight at once. */
  readonly maxInFlight: number
  readonly maxItems: number
  /** Maximum items in the queue; further items are rejected. */
  readonly maxQueued: number
  /** How long a batch that is not full waits for the batches in flight to complete, ms. */
  readonly maxDelayMs: number
  /** Time in flight after which a batch counts as an outage, ms. */
  readonly stallThresholdMs: number
}

interface CallOptions {
  /** By `performance.now()`. */
  readonly deadline: number
  /** An item whose request has completed is not dispatched. */
  readonly requestContext?: { readonly isCompleted: boolean } | undefined
}

/** The queue is full. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded'
}

/** The deadline passed before the result arrived. If the batch is in flight, it may still take effect. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded'
}

interface PendingItem<Item, Result> extends CallOptions {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

type PendingBatch<Item, Result> = readonly PendingItem<Item, Result>[]

const CHECK_DEADLINES_EVERY_MS = 50

/**
 * Groups concurrent calls into batches: the calls of one event-loop tick, and those that arrive while batches
 * are in flight. They are dispatched first in, first out, except that items that share a key are never in one
 * batch. The load shedder holds requests back while `isBehind`, so a queue time needs no limit here.
 */
export class Batch<Item, Result> {
  private queue: PendingItem<Item, Result>[] = []
  /** The batches in flight, oldest first, by the time of their dispatch. */
  private readonly inFlight = new Map<PendingBatch<Item, Result>, number>()
  private flushImmediate: NodeJS.Immediate | undefined
  private deadlineTimer: NodeJS.Timeout | undefined

  /**
   * @param send processes a batch, and returns the results in the order of the items
   * @param keysOf returns an item's keys, which no other item of its batch may have
   */
  constructor(
    private readonly send: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly keysOf: (item: Item) => readonly string[],
    private readonly limits: BatchLimits,
  ) {}

  /** Whether calls arrive faster than batches complete. During an outage, they only wait for its end. */
  get isBehind(): boolean {
    const { maxItems, stallThresholdMs } = this.limits
    return this.queue.length >= maxItems && this.oldestMs() <= stallThresholdMs
  }

  /** @throws Overloaded, DeadlineExceeded, Abandoned, or what `send` threw for the item's batch */
  async call(item: Item, { deadline, requestContext }: CallOptions): Promise<Result> {
    if (this.queue.length >= this.limits.maxQueued) throw new Overloaded('The queue is full')
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.queue.push({ item, deadline, requestContext, resolve, reject })
    this.deadlineTimer ??= setInterval(() => this.expire(), CHECK_DEADLINES_EVERY_MS).unref()
    this.scheduleFlush()
    return promise
  }

  /** An immediate runs after all I/O events of this event-loop tick: the batch includes all their calls. */
  private scheduleFlush() {
    this.flushImmediate ??= setImmediate(() => {
      this.flushImmediate = undefined
      this.flush()
    })
  }

  private flush() {
    while (this.queue.length > 0 && this.canDispatch()) {
      const batch = this.takeBatch()
      if (batch.length > 0) void this.dispatch(batch)
    }
  }

  /** While one batch is in flight, the next is dispatched only if it is full or the first takes long. */
  private canDispatch(): boolean {
    const { maxInFlight, maxItems, maxDelayMs } = this.limits
    if (this.inFlight.size === 0) return true
    if (this.inFlight.size >= maxInFlight) return false
    return this.queue.length >= maxItems || this.oldestMs() > maxDelayMs
  }

  /** How long the oldest batch has been in flight. */
  private oldestMs(): number {
    const [dispatchedAt = Infinity] = this.inFlight.values()
    return performance.now() - dispatchedAt
  }

  /** Takes the next batch in FIFO order. A conflicting item stays queued, as do later items with its keys. */
  private takeBatch(): PendingBatch<Item, Result> {
    const { maxItems } = this.limits
    const batch: PendingItem<Item, Result>[] = []
    const remaining: PendingItem<Item, Result>[] = []
    const usedKeys = new Set<string>()
    const now = performance.now()
    for (const pending of this.queue) {
      if (rejectIfExpired(pending, now)) continue
      const hasRoom = batch.length < maxItems
      const keys = hasRoom ? this.keysOf(pending.item) : []
      if (hasRoom && !keys.some((key) => usedKeys.has(key))) batch.push(pending)
      else remaining.push(pending)
      for (const key of keys) usedKeys.add(key)
    }
    this.queue = remaining
    return batch
  }

  private async dispatch(batch: PendingBatch<Item, Result>): Promise<void> {
    this.inFlight.set(batch, performance.now())
    const delayTimer = this.startDelayTimer()
    try {
      const results = await this.send(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, i) => resolve(results[i] as Result))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      clearInterval(delayTimer)
      this.inFlight.delete(batch)
      this.scheduleFlush()
    }
  }

  /** Flushes after `maxDelayMs`. This is an interval, because a timer's first run can be slightly early. */
  private startDelayTimer(): NodeJS.Timeout | undefined {
    const { maxInFlight, maxDelayMs } = this.limits
    if (maxInFlight === 1) return undefined
    return setInterval(() => this.flush(), maxDelayMs + 1).unref()
  }

  /** Rejects expired items, queued or in flight. A batch in flight continues without them. */
  private expire() {
    const now = performance.now()
    this.queue = this.queue.filter((pending) => !rejectIfExpired(pending, now))
    for (const pending of [...this.inFlight.keys()].flat()) rejectIfExpired(pending, now)
    if (this.queue.length > 0 || this.inFlight.size > 0) return
    clearInterval(this.deadlineTimer)
    this.deadlineTimer = undefined
  }
}

/** Rejects an item whose request has completed or whose deadline has passed, and returns whether it did. */
function rejectIfExpired(
  { deadline, requestContext, reject }: PendingItem<unknown, never>,
  now: number,
): boolean {
  if (requestContext?.isCompleted) reject(new Abandoned())
  else if (deadline <= now) reject(new DeadlineExceeded('No result arrived before the deadline'))
  else return false
  return true
}
