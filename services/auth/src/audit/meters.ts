import { countBy } from '@malipo/kit/telemetry/metrics'
import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { Inject, Injectable } from '@nestjs/common'
import { Counter, Registry } from 'prom-client'
import { PROBLEMS } from '../problems.js'

/** Why a session was ended. */
const CAUSES = ['logout', 'revoked', 'password', 'scopes', 'refresh_reuse'] as const
type Cause = (typeof CAUSES)[number]

/** What is counted, by what it may come to. */
const OUTCOMES = {
  logins: ['ok', 'wrong', 'throttled', 'failed'],
  registrations: ['made', 'taken', 'throttled', 'failed'],
  password_changes: ['made', 'wrong', 'throttled', 'failed'],
  refreshes: ['rotated', 'repeated', 'reused', 'refused', 'throttled', 'failed'],
} as const
type What = keyof typeof OUTCOMES

/** The outcome of what ended in this problem; any other is `failed`. */
const OF_PROBLEM = new Map<string, string>([
  [PROBLEMS.wrongCredentials.type, 'wrong'],
  [PROBLEMS.refreshTokenNotValid.type, 'refused'],
  [PROBLEMS.phoneTaken.type, 'taken'],
  [PROBLEMS.emailTaken.type, 'taken'],
  [PROBLEMS.tooManyAttempts.type, 'throttled'],
])

/** The facts of the audit trail as figures: how many of what, never whose. */
@Injectable()
export class Meters {
  private readonly outcomes: Record<What, Readonly<Record<string, Pick<Counter.Internal, 'inc'>>>>
  private readonly revocations
  private readonly grants: Counter

  constructor(@Inject(Registry) registry: Registry) {
    const ofOutcomes = (what: What) => {
      const outcomes: readonly string[] = OUTCOMES[what]
      const help = `How many ${what.replace('_', ' ')} came to what: ${outcomes.join(', ')}`
      return countBy(registry, { name: `${what}_total`, help, label: 'outcome' }, outcomes)
    }
    this.outcomes = {
      logins: ofOutcomes('logins'),
      registrations: ofOutcomes('registrations'),
      refreshes: ofOutcomes('refreshes'),
      password_changes: ofOutcomes('password_changes'),
    }
    const revocations = {
      name: 'revocations_total',
      help: 'Sessions that were ended, by cause',
      label: 'cause',
    }
    this.revocations = countBy(registry, revocations, CAUSES)
    this.grants = new Counter({
      name: 'grants_total',
      help: 'Times that an operator said what a user may do',
      registers: [registry],
    })
  }

  /** Does the work and counts what it came to: `outcomeOf` its result, or the problem that it met. */
  async count<W extends What, T>(
    what: W,
    work: () => Promise<T>,
    outcomeOf: (result: T) => (typeof OUTCOMES)[W][number],
  ): Promise<T> {
    try {
      const result = await work()
      this.note(what, outcomeOf(result))
      return result
    } catch (error) {
      if (!isRefusedInput(error)) this.note(what, outcomeOfProblem(error))
      throw error
    }
  }

  private note(what: What, outcome: string) {
    const { [outcome]: known, failed } = this.outcomes[what]
    ;(known ?? failed)?.inc()
  }

  granted() {
    this.grants.inc()
  }

  ended(cause: Cause, sessions = 1) {
    this.revocations[cause].inc(sessions)
  }
}

function outcomeOfProblem(error: unknown): string {
  const type = error instanceof Problem ? error.kind.type : undefined
  return OF_PROBLEM.get(type ?? '') ?? 'failed'
}

function isRefusedInput(error: unknown): boolean {
  return error instanceof Problem && error.kind === HTTP_PROBLEMS.validation
}
