import type { FoundAttempt } from '../attempts/attempt.store.js'
import { afterQuery, type Followed } from '../attempts/conclusions.js'
import type { MessageKind, MessageVerdict } from '../messages/message-insert.js'
import type { Adapter } from '../providers/adapter.js'
import type { CallbackReading } from '../providers/reading.js'

/** What the replay of a stored callback does: pure functions. */

/**
 * - `apply`: the reading changes the attempt, as if it had arrived now.
 * - `query`: it makes a query due, which decides.
 * - `ignore`: nothing happens.
 */
export type ReplayStep = 'apply' | 'query' | 'ignore'

/** Only callbacks are read again: other messages were read completely when they arrived. */
export function isReplayable(kind: MessageKind): boolean {
  return kind === 'callback'
}

/**
 * The stored verdict decides, and not that of the new reading: a key that was added later, or that has leaked since,
 * raises no trust.
 */
export function replayStep(
  stored: MessageVerdict,
  { reading }: Pick<CallbackReading, 'reading'>,
): ReplayStep {
  if (stored === 'invalid') return 'ignore'
  const isFinal = reading.kind === 'succeeded' || reading.kind === 'declined'
  return stored === 'signed' && isFinal ? 'apply' : 'query'
}

/** Facts about calls, which matter only for the delay until the next query. */
const NO_CALL = { tries: 0, misses: 0, sentSecondsAgo: 0, sendSecondsLeft: 0 }

/** What follows from a reading that is applied. */
export function afterReplay(
  adapter: Pick<Adapter, 'query' | 'capabilities'>,
  { state, amountMinor, currency }: Pick<FoundAttempt, 'state' | 'amountMinor' | 'currency'>,
  { reading }: Pick<CallbackReading, 'reading'>,
  scale: number,
): Omit<Followed, 'missed' | 'nextSeconds'> {
  const facts = { ...NO_CALL, state, currency, amountMinor: BigInt(amountMinor) }
  const pace = { scale, queryMaxSeconds: 0, random: 0 }
  const {
    missed: _missed,
    nextSeconds: _next,
    ...followed
  } = afterQuery(adapter, facts, reading, pace)
  return followed
}
