import { HTTP_PROBLEMS, Problem, type ProblemKind } from '@malipo/kit/http/problem'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Abandoned } from '@malipo/kit/telemetry/request-context'
import type { Registry } from 'prom-client'
import { PROBLEMS } from './problems.js'

/** The label `outcome` for each problem that an operation throws; any other error counts as `failed`. */
const OUTCOME_OF_PROBLEM = new Map<ProblemKind | undefined, string>([
  [PROBLEMS.wrongCredentials, 'wrong'],
  [PROBLEMS.refreshTokenNotValid, 'rejected'],
  [PROBLEMS.phoneTaken, 'taken'],
  [PROBLEMS.emailTaken, 'taken'],
  [PROBLEMS.tooManyAttempts, 'throttled'],
])

/** Counts an operation's outcomes in a metric with the label `outcome`. */
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

  /**
   * Runs an operation and counts its outcome by its result or error. Invalid input is not counted, nor is a
   * request whose client has disconnected: `http_request_duration_seconds` shows it as status 499.
   */
  async count<T>(operation: () => Promise<T>, outcomeOf: (result: T) => Outcome): Promise<T> {
    try {
      const result = await operation()
      this.counters[outcomeOf(result)]?.inc()
      return result
    } catch (error) {
      if (error instanceof Abandoned) throw error
      const kind = error instanceof Problem ? error.kind : undefined
      if (kind === HTTP_PROBLEMS.validation) throw error
      const outcome = OUTCOME_OF_PROBLEM.get(kind) ?? 'failed'
      const counter = this.counters[outcome] ?? this.counters['failed']
      counter?.inc()
      throw error
    }
  }
}
