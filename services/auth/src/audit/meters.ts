import { HTTP_PROBLEMS, Problem } from '@malipo/kit/problem'
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
  private readonly outcomes: Record<What, Counter<'outcome'>>
  private readonly revocations: Counter<'cause'>
  private readonly grants: Counter

  constructor(@Inject(Registry) registry: Registry) {
    const counter = <Label extends string>(name: string, help: string, label: Label) =>
      new Counter({ name, help, labelNames: [label], registers: [registry] })
    const ofOutcomes = (what: What) => {
      const made = counter(
        `${what}_total`,
        `How many ${what.replace('_', ' ')} came to what: ${OUTCOMES[what].join(', ')}`,
        'outcome',
      )
      // A series that is there from the start shows its first event as an increase.
      for (const outcome of OUTCOMES[what]) made.inc({ outcome }, 0)
      return made
    }
    this.outcomes = {
      logins: ofOutcomes('logins'),
      registrations: ofOutcomes('registrations'),
      refreshes: ofOutcomes('refreshes'),
      password_changes: ofOutcomes('password_changes'),
    }
    this.revocations = counter('revocations_total', 'Sessions that were ended, by cause', 'cause')
    for (const cause of CAUSES) this.revocations.inc({ cause }, 0)
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
      this.outcomes[what].inc({ outcome: outcomeOf(result) })
      return result
    } catch (error) {
      if (!isRefusedInput(error)) this.outcomes[what].inc({ outcome: outcomeOfProblem(error) })
      throw error
    }
  }

  granted() {
    this.grants.inc()
  }

  ended(cause: Cause, sessions = 1) {
    this.revocations.inc({ cause }, sessions)
  }
}

function outcomeOfProblem(error: unknown): string {
  const type = error instanceof Problem ? error.kind.type : undefined
  return OF_PROBLEM.get(type ?? '') ?? 'failed'
}

function isRefusedInput(error: unknown): boolean {
  return error instanceof Problem && error.kind === HTTP_PROBLEMS.validation
}
