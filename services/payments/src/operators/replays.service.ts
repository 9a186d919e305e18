import { Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { isUUID } from 'class-validator'
import { AttemptCalls } from '../attempts/attempt-calls.js'
import { PACING, type Pacing } from '../attempts/call-runner.js'
import { type ClientOf, Clients } from '../attempts/clients.js'
import { Conclusions } from '../attempts/conclusions.service.js'
import type { Caller } from '../caller/scopes.js'
import { noMessage, PROBLEMS } from '../problems.js'
import type { CallbackReading } from '../providers/reading.js'
import { readAttempt } from './attempt-detail.store.js'
import type { StoredAttempt } from './attempt.view.js'
import { accountOf, type MessageContent } from './message.view.js'
import { findAttemptOf, findMessage, recordReplay } from './messages.store.js'
import { queryByOperator } from './query.store.js'
import { afterReplay, isReplayable, replayStep } from './replay.js'
import type { ReplayResult } from './replay-result.js'

/** Reads stored callbacks again, such as after a correction of an adapter, and applies them as if they arrived now. */
@Injectable()
export class Replays {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Clients) private readonly clients: Clients,
    @Inject(Conclusions) private readonly conclusions: Conclusions,
    @Inject(AttemptCalls) private readonly calls: AttemptCalls,
    @Inject(PACING) private readonly pacing: Pacing,
  ) {}

  /** @throws Problem 404; 409 if the message is no callback, was erased, or its account is closed */
  async replay(caller: Caller, id: string) {
    const message = await this.find(id)
    const client = this.clientOf(message)
    const { headers } = message
    const read = client.client.readCallback({ headers, body: Buffer.from(message.body, 'base64') })
    const result = await this.act(caller, message, client, read)
    return { result, message: await this.find(id) }
  }

  private async act(
    caller: Caller,
    message: MessageContent,
    client: ClientOf,
    read: CallbackReading,
  ): Promise<ReplayResult> {
    const step = replayStep(message.verdict, read)
    const attempt = step === 'ignore' ? undefined : await this.attemptOf(message, client, read)
    const details = { verdict: message.verdict, reading: read.reading.kind }
    if (step === 'ignore' || !attempt) {
      const result = step === 'ignore' ? 'ignored' : 'parked'
      await this.record(caller, message, { ...details, result })
      return result
    }
    return step === 'apply'
      ? this.apply(caller, message, { client, attempt, read, details })
      : this.query(caller, message, attempt, details)
  }

  private async record(caller: Caller, { id: messageId }: MessageContent, details: object) {
    const action = { id: newUuid(), operator: caller.id, action: 'replay', details } as const
    await this.database.write((run) => recordReplay(run, messageId, action))
  }

  private async query(
    caller: Caller,
    { id: messageId }: MessageContent,
    { id, account }: StoredAttempt,
    details: object,
  ): Promise<ReplayResult> {
    const action = { id: newUuid(), operator: caller.id, action: 'replay', details } as const
    const queried = await this.database.write((run) => queryByOperator(run, id, messageId, action))
    if (!queried?.isDue) return 'unchanged'
    this.calls.wake(account, 'query')
    return 'query'
  }

  private async apply(
    caller: Caller,
    { id: messageId }: MessageContent,
    applied: { client: ClientOf; attempt: StoredAttempt; read: CallbackReading; details: object },
  ): Promise<ReplayResult> {
    const { client, attempt, read, details } = applied
    const concluded = await this.conclusions.apply(attempt.account, {
      ...afterReplay(client.adapter, attempt, read, this.pacing.scale),
      attemptId: attempt.id,
      cause: 'callback',
      actor: attempt.account,
      messageId,
      act: { operator: caller.id, action: 'replay', details, resolves: false },
    })
    return concluded?.outcome ?? 'unchanged'
  }

  private async attemptOf(
    { attemptId, reading }: MessageContent,
    { account: { name } }: ClientOf,
    { reference, providerReference }: CallbackReading,
  ): Promise<StoredAttempt | undefined> {
    const ofUrl = reading?.attemptId
    const subject = {
      attemptId: typeof ofUrl === 'string' ? ofUrl : undefined,
      reference,
      providerReference,
    }
    return this.database.read(async (run) => {
      const id = attemptId ?? (await findAttemptOf(run, name, subject))
      return id === undefined ? undefined : readAttempt(run, id)
    })
  }

  private async find(id: string): Promise<MessageContent> {
    const found = isUUID(id) ? await this.database.read((run) => findMessage(run, id)) : undefined
    if (!found) throw noMessage()
    return found
  }

  private clientOf({ kind, source, erasedAt }: MessageContent): ClientOf {
    if (!isReplayable(kind)) throw notReplayable(`A message of kind ${kind} is no callback.`)
    if (erasedAt !== null) throw notReplayable('The body of the message was erased.')
    const account = accountOf(source)
    const client = account === undefined ? undefined : this.clients.find(account)
    if (!client) throw notReplayable('The account of the message is closed.')
    return client
  }
}

function notReplayable(detail: string): Problem {
  return new Problem(PROBLEMS.notReplayable, detail)
}
