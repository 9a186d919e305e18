import { type State, stateAfter } from '../timeline/timeline.js'
import type { Part } from './journal.js'
import { type BookRecord, type Charge, keyOf, partsOf, type Provider } from './records.js'

/** A charge and what happened to it. */
export interface Entry {
  /** The position in the book. */
  readonly nth: number
  readonly key: string
  readonly charge: Charge
  /** When each step of the timeline was done, in order. */
  readonly stepsAt: readonly number[]
  readonly callbacks: readonly { readonly at: number; readonly result: number | string }[]
  /** When the charge was requested again. */
  readonly repeatsAt: readonly number[]
}

type Writable<Type> = {
  -readonly [Name in keyof Type]: Type[Name] extends readonly (infer Item)[] ? Item[] : Type[Name]
}

/** A request that no charge came of. */
export interface RejectedRequest {
  readonly provider: Provider
  readonly reference: string
  /** When the request was rejected. */
  readonly times: readonly number[]
}

/** Requests of one reference that are stored with their time; a client repeats a few times at most. */
const MAX_REPEATS = 100
/** References of rejected requests that are remembered. */
const MAX_REJECTIONS = 10_000

/** The charges of all providers. If there are too many, it forgets the oldest whose timeline is done. */
export class Book implements Part {
  private readonly entries = new Map<string, Writable<Entry>>()
  /** Keys of charges whose timeline is done, in that order. */
  private readonly finished = new Set<string>()
  private readonly rejected = new Map<string, Writable<RejectedRequest>>()
  private lastNth = 0

  constructor(private readonly maxCharges: number) {}

  get nextNth(): number {
    return this.lastNth + 1
  }

  /** Whether no charge can be accepted, since all are unfinished. */
  get isFull(): boolean {
    return this.entries.size >= this.maxCharges && this.finished.size === 0
  }

  get size(): number {
    return this.entries.size
  }

  find(provider: Provider, reference: string): Entry | undefined {
    return this.entries.get(keyOf(provider, reference))
  }

  all(): IterableIterator<Entry> {
    return this.entries.values()
  }

  /** How often a request with this reference was rejected. */
  rejections(provider: Provider, reference: string): number {
    return this.rejected.get(keyOf(provider, reference))?.times.length ?? 0
  }

  rejectedRequests(): IterableIterator<RejectedRequest> {
    return this.rejected.values()
  }

  apply(record: BookRecord): void {
    if (record.kind === 'charge') return this.add(record.nth, record.charge)
    if (record.kind === 'rejection') return this.reject(record.key, record.at)
    const entry = 'key' in record ? this.entries.get(record.key) : undefined
    // A callback may be answered after its charge was removed.
    if (!entry) return
    if (record.kind === 'callback') entry.callbacks.push({ at: record.at, result: record.result })
    if (record.kind === 'repeat' && entry.repeatsAt.length < MAX_REPEATS) {
      entry.repeatsAt.push(record.at)
    }
    if (record.kind === 'step') {
      entry.stepsAt.push(record.at)
      if (isFinished(entry)) this.finished.add(entry.key)
    }
  }

  *records(): Generator<BookRecord> {
    for (const { nth, key, charge, stepsAt, callbacks, repeatsAt } of this.entries.values()) {
      yield { kind: 'charge', nth, charge }
      for (const [index, at] of stepsAt.entries()) {
        yield { kind: 'step', key, at, type: charge.timeline.steps[index]!.type }
      }
      for (const callback of callbacks) yield { kind: 'callback', key, ...callback }
      for (const at of repeatsAt) yield { kind: 'repeat', key, at }
    }
    for (const [key, { times }] of this.rejected) {
      for (const at of times) yield { kind: 'rejection', key, at }
    }
  }

  private reject(key: string, at: number) {
    const request = this.rejected.get(key) ?? { ...partsOf(key), times: [] }
    if (request.times.length < MAX_REPEATS) request.times.push(at)
    this.rejected.set(key, request)
    const [oldest] = this.rejected.keys()
    if (this.rejected.size > MAX_REJECTIONS && oldest) this.rejected.delete(oldest)
  }

  private add(nth: number, charge: Charge) {
    const key = keyOf(charge.provider, charge.reference)
    const entry = { nth, key, charge, stepsAt: [], callbacks: [], repeatsAt: [] }
    this.lastNth = Math.max(this.lastNth, nth)
    this.entries.set(key, entry)
    if (isFinished(entry)) this.finished.add(key)
    const [oldest] = this.finished
    if (this.entries.size <= this.maxCharges || oldest === undefined) return
    this.finished.delete(oldest)
    this.entries.delete(oldest)
  }
}

export function isFinished({ charge, stepsAt }: Entry): boolean {
  return stepsAt.length >= charge.timeline.steps.length
}

/** What the provider knows of the charge now. */
export function stateOf({ charge, stepsAt }: Entry): State {
  return stateAfter(charge.timeline, stepsAt.length)
}

/** What it knows in the end. */
export function finalStateOf({ charge: { timeline } }: Entry): State {
  return stateAfter(timeline, timeline.steps.length)
}
