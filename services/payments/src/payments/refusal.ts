import { Problem } from '@malipo/kit/http/problem'
import { PROBLEMS } from '../problems.js'
import type { Status } from './transitions.js'

/** A refusal as the database decided it. */
export interface Refused {
  readonly answer: 400 | 412
  readonly seenStatus: Status | null
  readonly seenVersion: number | null
}

/** What the client is told of a refusal, the same now and when the key replays it. */
export function refusal(refused: Refused, headers: Record<string, string> = {}): Problem {
  return refused.answer === 412
    ? new Problem(PROBLEMS.versionChanged, `The payment is at version ${refused.seenVersion}.`, {
        headers,
      })
    : new Problem(PROBLEMS.transition, `From ${refused.seenStatus} it can’t go there.`, { headers })
}
