import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { countBy } from '@malipo/kit/telemetry/metrics'
import type { Registry } from 'prom-client'
import { PROBLEMS } from './problems.js'

/** The outcome of an operation that throws one of these problems; any other error counts as `failed`. */
const OUTCOME_OF_PROBLEM = new Map<string, string>([
  [PROBLEMS.wrongCredentials.type, 'wrong'],
  [PROBLEMS.refreshTokenNotValid.type, 'rejected'],
  [PROBLEMS.phoneTaken.type, 'taken'],
  [PROBLEMS.emailTaken.type, 'taken'],
  [PROBLEMS.tooManyAttempts.type, 'throttled'],
])

/** Counts the outcomes of an operation in a counter with the label `outcome`. */
export class OutcomeCounter<Outcome extends string> {
  private readonly counters: Readonly<Record<string, { inc(): void }>>

  constructor(
    registry: Registry,
    metric: { readonly name: string; readonly help: string },
    outcomes: readonly Outcome[],
  ) {
    const help = `${metric.help}: ${outcomes.join(', ')}`
    this.counters = countBy(registry, { ...metric, help, label: 'outcome' }, outcomes)
  }

  /** Runs the operation and counts the outcome of its result or error; invalid input is not counted. */
  async count<T>(operation: () => Promise<T>, outcomeOf: (result: T) => Outcome): Promise<T> {
    try {
      const result = await operation()
      this.counters[outcomeOf(result)]?.inc()
      return result
    } catch (error) {
      const kind = error instanceof Problem ? error.kind : undefined
      const outcome = OUTCOME_OF_PROBLEM.get(kind?.type ?? '') ?? 'failed'
      if (kind !== HTTP_PROBLEMS.validation)
        (this.counters[outcome] ?? this.counters['failed'])?.inc()
      throw error
    }
  }
}
