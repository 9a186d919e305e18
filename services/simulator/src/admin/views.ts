import {
  type Book,
  type Entry,
  finalStateOf,
  isFinished,
  type RejectedRequest,
  stateOf,
} from '../book/book.js'
import type { ScriptRecord } from '../book/records.js'
import type { State } from '../timeline/timeline.js'

/** What a status query reports: `unknown` if it does not find the charge. */
function reported({ isVisible, outcome }: State) {
  return isVisible ? outcome.status : 'unknown'
}

/** A charge as operators see it. */
export function entryView(entry: Entry) {
  const { nth, charge, stepsAt, callbacks, repeatsAt } = entry
  const { timeline, acceptedAt, ...request } = charge
  const [now, end] = [stateOf(entry), finalStateOf(entry)]
  return {
    nth,
    ...request,
    acceptedAt: isoTime(acceptedAt),
    answer: timeline.answer,
    steps: timeline.steps.map((step, index) => {
      const at = stepsAt[index]
      return { ...step, doneAt: at === undefined ? null : isoTime(at) }
    }),
    callbacks: callbacks.map(({ at, result }) => ({ at: isoTime(at), result })),
    repeatsAt: repeatsAt.map(isoTime),
    isFinished: isFinished(entry),
    /** What happened to the payer's money, and what a status query reports of it. */
    now: { outcome: now.outcome, reported: reported(now) },
    /** The same after the last step of the timeline. */
    end: { outcome: end.outcome, reported: reported(end) },
  }
}

export function rejectionView({ provider, reference, times }: RejectedRequest) {
  return { provider, reference, rejectedAt: times.map(isoTime) }
}

export function scriptView(script: Omit<ScriptRecord, 'kind'>) {
  const { id, provider, reference = null, personality, payerMs, code } = script
  return { id, provider, reference, personality, payerMs, code }
}

export interface Counts {
  charges: number
  finished: number
  callbacks: number
  repeats: number
  readonly byProvider: Record<string, number>
  readonly byPersonality: Record<string, number>
  readonly byOutcome: Record<string, number>
}

export function countsOf(book: Book): Counts {
  const counts: Counts = {
    charges: 0,
    finished: 0,
    callbacks: 0,
    repeats: 0,
    byProvider: {},
    byPersonality: {},
    byOutcome: {},
  }
  for (const entry of book.all()) {
    counts.charges++
    counts.finished += Number(isFinished(entry))
    counts.callbacks += entry.callbacks.length
    counts.repeats += entry.repeatsAt.length
    increment(counts.byProvider, entry.charge.provider)
    increment(counts.byPersonality, entry.charge.personality)
    increment(counts.byOutcome, stateOf(entry).outcome.status)
  }
  return counts
}

function increment(counts: Record<string, number>, key: string) {
  counts[key] = (counts[key] ?? 0) + 1
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
