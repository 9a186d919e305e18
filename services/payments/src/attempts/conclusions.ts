import type { Adapter } from '../providers/adapter.js'
import { amountVerdict, statedMinor } from '../providers/amounts.js'
import { FAILURES, type FailureCode } from '../providers/failures.js'
import type { QueryReading, SendReading, Succeeded } from '../providers/reading.js'
import { AFTERCARE_SECONDS } from '../providers/schedule.js'
import type { Conclusion, LeaseEnd } from './conclusion.js'
import { type AttemptState, isClosed } from './states.js'

/** What follows from an answer of a provider: pure functions, of which the statement judges the result. */

/** The facts about a claimed call that decide what its answer means. */
export interface CallFacts {
  readonly state: AttemptState
  readonly amountMinor: bigint
  readonly currency: string
  /** Calls of this kind, including this one. */
  readonly tries: number
  readonly misses: number
  /** Since the request for money, in seconds. */
  readonly sentSecondsAgo: number
  /** Until the request for money must not be sent any more, in seconds. */
  readonly sendSecondsLeft: number
}

/** How delays become times. */
export interface Pace {
  /** Factor of all delays. */
  readonly scale: number
  /** The longest delay between two queries, in seconds. */
  readonly queryMaxSeconds: number
  /** 0 to 1, for the random part of delays. */
  readonly random: number
}

type Facts = Omit<
  Conclusion,
  'attemptId' | 'operationId' | 'cause' | 'actor' | 'evidence' | 'lease'
>
export type Followed = Facts & Pick<LeaseEnd, 'missed' | 'nextSeconds'>

/** After this many queries in a row without the charge, an operator must look. */
const MAX_MISSES = 3
/** The largest random part of a delay, so that attempts of one second spread. */
const JITTER = 0.2

/** What follows from the answer to a request for money. */
export function afterSend(
  { initiate, query }: Pick<Adapter, 'initiate' | 'query'>,
  facts: CallFacts,
  reading: SendReading,
  pace: Pace,
): Followed {
  const stated = statedBy(reading)
  const firstQuery = {
    missed: false,
    nextSeconds: queryDelay(query?.scheduleSeconds[0], pace, reading.retryAfterSeconds),
  }
  switch (reading.kind) {
    case 'pending':
      return { to: 'accepted', ...stated, ...firstQuery }
    case 'may_have_happened':
      return { to: 'in_doubt', ...stated, ...firstQuery }
    case 'declined':
      return ended('declined', reading.failure, stated, pace)
    case 'not_sent': {
      const delay = initiate?.retrySeconds[facts.tries - 1]
      const wait = delayed(delay ?? 0, pace)
      const nextSeconds = Math.max(wait, reading.retryAfterSeconds ?? 0)
      const isInTime = nextSeconds < facts.sendSecondsLeft
      if (reading.retry && delay !== undefined && isInTime) {
        return { to: 'queued', ...stated, missed: false, nextSeconds }
      }
      return ended('not_sent', reading.failure, stated, pace)
    }
  }
}

/** What follows from the answer to a query, or from a signed callback. */
export function afterQuery(
  { query, capabilities }: Pick<Adapter, 'query' | 'capabilities'>,
  facts: CallFacts,
  reading: QueryReading,
  pace: Pace,
): Followed {
  const stated = statedBy(reading)
  const schedule = isClosed(facts.state) ? AFTERCARE_SECONDS : (query?.scheduleSeconds ?? [])
  const delay = schedule[facts.tries]
  const nextSeconds = queryDelay(delay, pace, reading.retryAfterSeconds)
  const isLast = delay === undefined && !isClosed(facts.state)
  const next = { missed: false, nextSeconds, attention: isLast ? ('deadline' as const) : undefined }
  // The sender died, or a callback of a queued attempt arrived: the request may have been sent.
  const isInDoubt = facts.state === 'sending' || facts.state === 'queued'
  const doubt = isInDoubt ? 'in_doubt' : undefined
  switch (reading.kind) {
    case 'succeeded':
      return afterSuccess(capabilities, facts, reading, { ...stated, doubt }, next)
    case 'declined':
      // That a failed attempt has still failed is no news: the queries for a late success continue.
      if (hasFailed(facts.state)) return { to: undefined, ...stated, ...next }
      return ended('declined', reading.failure, stated, pace)
    case 'pending':
      return { to: 'accepted', ...stated, ...next }
    case 'unknown_there': {
      const isPastVisibility =
        facts.sentSecondsAgo > capabilities.visibilitySeconds * pace.scale &&
        facts.misses + 1 >= MAX_MISSES
      if (!isPastVisibility || isClosed(facts.state)) {
        return { to: doubt, ...stated, ...next, missed: true }
      }
      const longest = Math.max(...schedule)
      return {
        to: doubt,
        ...stated,
        missed: true,
        attention: 'vanished',
        nextSeconds: nextSeconds === undefined ? undefined : queryDelay(longest, pace),
      }
    }
    case 'no_news':
      return { to: doubt, ...stated, ...next }
  }
}

/** An operator may have stated a success that the provider contradicts: that is news. */
function hasFailed(state: AttemptState): boolean {
  return state === 'declined' || state === 'not_sent'
}

function afterSuccess(
  capabilities: Adapter['capabilities'],
  { amountMinor, currency }: CallFacts,
  reading: Succeeded,
  { doubt, ...stated }: ReturnType<typeof statedBy> & { readonly doubt: 'in_doubt' | undefined },
  next: Pick<Followed, 'missed' | 'nextSeconds' | 'attention'>,
): Followed {
  const verdict = amountVerdict(reading, { amountMinor, currency }, { capabilities })
  if (verdict === 'different') {
    // Never a success. The provider may still correct itself, so that queries continue.
    return {
      to: doubt,
      ...stated,
      transactionId: undefined,
      ...next,
      attention: 'amount_mismatch',
    }
  }
  const paid = reading.amount === undefined ? undefined : statedMinor(reading.amount, currency)
  return {
    to: 'succeeded',
    ...stated,
    transactionId: reading.transactionId,
    paidMinor: paid ?? amountMinor,
    amountUnverified: verdict === 'unverified',
    missed: false,
    nextSeconds: undefined,
  }
}

function ended(
  to: 'declined' | 'not_sent',
  failure: FailureCode,
  stated: ReturnType<typeof statedBy>,
  { scale }: Pace,
): Followed {
  const [first = 0] = AFTERCARE_SECONDS
  const needsAftercare = to === 'declined' && FAILURES[failure].mayStillSucceed
  return {
    to,
    failure,
    ...stated,
    aftercareSeconds: needsAftercare ? first * scale : undefined,
    missed: false,
    nextSeconds: undefined,
  }
}

function statedBy({ providerCode, providerReference }: SendReading | QueryReading) {
  return { providerCode, providerReference }
}

function queryDelay(
  delay: number | undefined,
  pace: Pace,
  retryAfterSeconds = 0,
): number | undefined {
  if (delay === undefined) return undefined
  const seconds = Math.min(delayed(delay, pace), pace.queryMaxSeconds)
  return Math.max(seconds, retryAfterSeconds)
}

function delayed(seconds: number, { scale, random }: Pace): number {
  return seconds * scale * (1 + JITTER * random)
}
