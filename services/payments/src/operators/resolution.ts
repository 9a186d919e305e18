import { isDeepStrictEqual } from 'node:util'
import { validationProblem } from '@malipo/kit/http/validation'
import { type AttemptState, RESOLUTIONS, type ResolvedState } from '../attempts/states.js'
import type { FailureCode } from '../providers/failures.js'
import type { ResolveDto } from './resolve.dto.js'

/** What an operator states about an attempt. Two operators mean the same if all of it is equal. */
export interface Resolution {
  /** Undefined if only the attention is cleared. */
  readonly outcome: ResolvedState | undefined
  /** The provider's, with `succeeded`. */
  readonly transactionId: string | undefined
  /** With `declined` and `not_sent`. */
  readonly failure: FailureCode | undefined
  readonly reason: string
  readonly evidence: string | undefined
}

const FAILURES: Readonly<Record<ResolvedState, FailureCode | undefined>> = {
  succeeded: undefined,
  declined: 'provider_error',
  not_sent: 'not_sent',
}

/** @throws Problem 400 if fields are missing or do not belong to the outcome */
export function resolutionOf(body: ResolveDto): Resolution {
  const outcome = body.outcome ?? undefined
  const transactionId = body.transactionId ?? undefined
  const failure = body.failure ?? undefined
  const evidence = body.evidence ?? undefined
  const isSuccess = outcome === 'succeeded'
  const isFailure = outcome === 'declined' || outcome === 'not_sent'
  const errors = [
    isSuccess &&
      transactionId === undefined &&
      wrong('transactionId', 'is required with succeeded'),
    !isSuccess && transactionId !== undefined && wrong('transactionId', 'is only for succeeded'),
    !isFailure && failure !== undefined && wrong('failure', 'is only for declined and not_sent'),
    outcome && evidence === undefined && wrong('evidence', 'is required with an outcome'),
  ].filter((error) => typeof error === 'object')
  if (errors.length > 0) throw validationProblem(errors)
  return {
    outcome,
    transactionId,
    failure: failure ?? (outcome && FAILURES[outcome]),
    reason: body.reason,
    evidence,
  }
}

function wrong(field: string, message: string) {
  return { field, message }
}

export function isSameResolution(one: Resolution, other: Resolution): boolean {
  return isDeepStrictEqual(one, other)
}

/** Why an attempt can't be resolved so; undefined if it can. */
export function obstacle(
  { state, attention }: { readonly state: AttemptState; readonly attention: string | null },
  { outcome }: Pick<Resolution, 'outcome'>,
): string | undefined {
  if (outcome === undefined)
    return attention === null ? 'The attempt needs no attention.' : undefined
  const from: readonly AttemptState[] = RESOLUTIONS[outcome]
  if (from.includes(state)) return undefined
  const possible = Object.entries(RESOLUTIONS).filter(([, states]) =>
    (states as readonly AttemptState[]).includes(state),
  )
  const names = possible.map(([name]) => name).join(' or ')
  return names === ''
    ? `The attempt is ${state}: it has ended.`
    : `The attempt is ${state}: it can be resolved as ${names}.`
}

/** The content of a stored proposal. */
export function contentOf(stored: {
  readonly [Field in keyof Resolution]: Resolution[Field] | null
}): Resolution {
  return {
    outcome: stored.outcome ?? undefined,
    transactionId: stored.transactionId ?? undefined,
    failure: stored.failure ?? undefined,
    reason: stored.reason ?? '',
    evidence: stored.evidence ?? undefined,
  }
}
