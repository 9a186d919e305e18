import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { type Book, type Entry, isFinished } from '../book/book.js'
import type { Journal } from '../book/journal.js'
import { type Charge, keyOf, type Provider } from '../book/records.js'
import type { Settings } from '../book/settings.js'
import { type Behaviour, plan } from '../timeline/choice.js'
import type { Rejection } from '../timeline/personalities.js'
import { dueSteps, type Outcome } from '../timeline/timeline.js'
import type { Callback, Callbacks } from './callbacks.js'

/** A valid request for money, before it is decided what happens to it. */
export type ChargeRequest = Omit<Charge, 'personality' | 'acceptedAt' | 'timeline'> & {
  /** What the phone number means in the provider's own sandbox. */
  readonly testNumber?: Behaviour
}

export type ChargeResult =
  | { readonly kind: 'accepted'; readonly entry: Entry }
  | { readonly kind: 'error'; readonly entry: Entry }
  | { readonly kind: 'reset'; readonly entry: Entry }
  | { readonly kind: 'rejected'; readonly rejection: Rejection; readonly code?: string }
  | { readonly kind: 'duplicate'; readonly entry: Entry }
  /** The book has no room. */
  | { readonly kind: 'full' }

/** Writes a provider's callback; undefined if the provider has none for this outcome, or no URL. */
export type CallbackWriter = (charge: Charge, outcome: Outcome, now: Date) => Callback | undefined

export interface Store {
  readonly book: Book
  readonly settings: Settings
  readonly journal: Journal
}

interface Options {
  readonly timeScale: number
  readonly callbacks: Callbacks
  readonly writers: Readonly<Record<Provider, CallbackWriter>>
  readonly log: Logger
}

/** The pause after the journal could not be written. */
const RETRY_MS = 1_000

/** Carries out the timelines of charges. */
export class Charges {
  private readonly timers = new Map<string, NodeJS.Timeout>()
  private isStopped = false

  constructor(
    private readonly store: Store,
    private readonly options: Options,
    private readonly now: () => number = Date.now,
  ) {}

  /** Continues the timelines that the book has from before a restart. */
  start(): void {
    for (const entry of this.store.book.all()) this.schedule(entry)
  }

  stop(): void {
    this.isStopped = true
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.options.callbacks.close()
  }

  /** Judges a request for money. The promise settles when the response is due. */
  async request({ testNumber, ...request }: ChargeRequest): Promise<ChargeResult> {
    const { book, settings, journal } = this.store
    const { provider, reference } = request
    const existing = book.find(provider, reference)
    if (existing) {
      journal.append({ kind: 'repeat', key: existing.key, at: this.now() })
      return { kind: 'duplicate', entry: existing }
    }
    if (book.isFull) return { kind: 'full' }
    const script = settings.find(provider, reference)
    const rejections = book.rejections(provider, reference)
    const { timeScale } = this.options
    const inputs = { ...request, ...settings.mix, script, testNumber, rejections, timeScale }
    const planned = plan(inputs)
    const at = this.now()
    if ('rejection' in planned) {
      const key = keyOf(provider, reference)
      journal.append({ kind: 'rejection', key, at, script: script?.id })
      return { kind: 'rejected', rejection: planned.rejection, code: planned.code }
    }
    const nth = book.nextNth
    const charge = { ...request, ...planned, acceptedAt: at }
    journal.append({ kind: 'charge', nth, script: script?.id, charge })
    return this.accept(book.find(provider, reference)!)
  }

  /** The charge of a status query; undefined if the book does not have it. */
  async find(provider: Provider, reference: string): Promise<Entry | undefined> {
    const entry = this.store.book.find(provider, reference)
    if (!entry) return undefined
    const { queryMs } = entry.charge.timeline
    if (queryMs > 0) await sleep(queryMs)
    void this.advance(entry)
    return entry
  }

  private async accept(entry: Entry): Promise<ChargeResult> {
    const { kind, afterMs, isAfterCallback } = entry.charge.timeline.answer
    // Before the first steps: if the journal fails there, the timer repeats them.
    this.schedule(entry)
    const callbacks = this.advance(entry)
    if (isAfterCallback) await callbacks
    if (afterMs > 0) await sleep(afterMs)
    return { kind, entry }
  }

  private schedule(entry: Entry) {
    clearTimeout(this.timers.get(entry.key))
    this.timers.delete(entry.key)
    if (this.isStopped || isFinished(entry)) return
    const { acceptedAt, timeline } = entry.charge
    const { atMs } = timeline.steps[entry.stepsAt.length]!
    this.wakeAfter(entry, Math.max(0, acceptedAt + atMs - this.now()))
  }

  private wakeAfter(entry: Entry, ms: number) {
    const wake = () => {
      try {
        void this.advance(entry)
      } catch (error) {
        this.options.log.error({ err: error }, 'cannot write the book, retrying')
        this.wakeAfter(entry, RETRY_MS)
      }
    }
    this.timers.set(entry.key, setTimeout(wake, ms))
  }

  /**
   * Does the steps that are due. A step is in the journal before its effect: a callback is lost, rather than sent
   * twice, if the process is killed in between.
   *
   * @returns a promise of the responses to the callbacks
   */
  private advance(entry: Entry): Promise<unknown> {
    const { charge, key } = entry
    const now = this.now()
    const due = dueSteps(charge.timeline, now - charge.acceptedAt)
    const sent: Promise<void>[] = []
    while (entry.stepsAt.length < due) {
      const step = charge.timeline.steps[entry.stepsAt.length]!
      this.store.journal.append({ kind: 'step', key, at: now, type: step.type })
      if (step.type === 'callback') sent.push(this.callBack(entry, step.outcome, now))
    }
    this.schedule(entry)
    return Promise.all(sent)
  }

  private async callBack({ charge, key }: Entry, outcome: Outcome, now: number) {
    const { callbacks, writers, log } = this.options
    const callback = writers[charge.provider](charge, outcome, new Date(now))
    if (!callback) return
    const result = await callbacks.send(callback)
    if (this.isStopped) return
    try {
      this.store.journal.append({ kind: 'callback', key, at: this.now(), result })
    } catch (error) {
      log.error({ err: error }, 'cannot write the result of a callback')
    }
    if (typeof result === 'string') log.warn({ result }, 'a callback got no response')
  }
}
