import { Database } from '@malipo/kit/postgres/database'
import { recordLinkedSpan } from '@malipo/kit/telemetry/tracing'
import { Inject, Injectable } from '@nestjs/common'
import { AttemptCalls } from '../attempts/attempt-calls.js'
import { PACING, type Pacing } from '../attempts/call-runner.js'
import { findAttempt } from '../attempts/attempt.store.js'
import { Clients } from '../attempts/clients.js'
import { afterQuery } from '../attempts/conclusions.js'
import { Conclusions } from '../attempts/conclusions.service.js'
import { messageValues } from '../messages/message-insert.js'
import type { QueryReading } from '../providers/reading.js'
import type {
  CallbackStore,
  IncomingCallback,
  KnownCallback,
  StoredCallback,
} from './callback-store.js'
import { STORE_CALLBACK } from './callback.statement.js'

interface Row {
  readonly attemptId: string | null
  readonly messageId: string | null
  readonly times: number | null
  readonly traceParent: string | null
  readonly isAllowed: boolean
  readonly isOpen: boolean
}

/** Facts that matter only for the delay until the next query of an open attempt, which a callback does not set. */
const NO_DELAY = { tries: 0, misses: 0, sentSecondsAgo: 0, sendSecondsLeft: 0 }

/** The callbacks in `provider_messages`, and what follows from them. */
@Injectable()
export class CallbacksStore implements CallbackStore {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Clients) private readonly clients: Clients,
    @Inject(Conclusions) private readonly conclusions: Conclusions,
    @Inject(AttemptCalls) private readonly calls: AttemptCalls,
    @Inject(PACING) private readonly pacing: Pacing,
  ) {}

  async store(callback: IncomingCallback): Promise<StoredCallback> {
    const [row] = await this.database.write((run) => run<Row>(STORE_CALLBACK, [inputOf(callback)]))
    if (!row) throw new Error('the statement has no row for a callback')
    const { attemptId, messageId, times, isAllowed, isOpen, traceParent } = row
    if (!isAllowed) {
      const isNamed = attemptId !== null && (isOpen || callback.attemptId !== undefined)
      return { outcome: isNamed ? 'too_many' : 'unknown_attempt' }
    }
    if (messageId === null) throw new Error('a callback was not stored')
    const attributes = { 'malipo.account': callback.account }
    recordLinkedSpan({ name: 'callback', attributes }, traceParent)
    if (attemptId === null) return { outcome: 'parked', messageId }
    if (callback.reading.verdict !== 'signed') this.calls.wake(callback.account, 'query')
    return { outcome: times === 1 ? 'stored' : 'repeated', messageId, attemptId }
  }

  async apply(callback: IncomingCallback, { attemptId, messageId }: KnownCallback): Promise<void> {
    const { account, reading } = callback
    const client = this.clients.find(account)
    const attempt = await this.database.read((run) => findAttempt(run, attemptId))
    if (!client || !attempt) return
    // The query that the stored callback has scheduled knows the reason.
    if (lacksReason(reading.reading) && client.adapter.query) return
    const { state, currency } = attempt
    const facts = { ...NO_DELAY, state, currency, amountMinor: BigInt(attempt.amountMinor) }
    const pace = { scale: this.pacing.scale, queryMaxSeconds: 0, random: 0 }
    const {
      missed: _,
      nextSeconds: __,
      ...followed
    } = afterQuery(client.adapter, facts, reading.reading, pace)
    await this.conclusions.apply(account, {
      ...followed,
      attemptId,
      cause: 'callback',
      actor: account,
      messageId,
    })
  }
}

/** Whether a failure is stated without a reason, as Airtel does in callbacks. */
function lacksReason(reading: QueryReading): boolean {
  return reading.kind === 'declined' && reading.failure === 'provider_error'
}

/** The input of `STORE_CALLBACK`. */
export function inputOf(callback: IncomingCallback) {
  const { account, attemptId, headers, bytes, reading, at, operationId } = callback
  return {
    account,
    attempt_id: attemptId,
    // Of a URL with an attempt, nothing in the body names another one.
    reference: attemptId === undefined ? reading.reference : undefined,
    provider_reference: attemptId === undefined ? reading.providerReference : undefined,
    operation_id: operationId,
    ...messageValues({
      kind: 'callback',
      source: `provider:${account}`,
      verdict: reading.verdict,
      headers,
      bytes,
      reading: { ...reading, attemptId },
      at,
    }),
  }
}
