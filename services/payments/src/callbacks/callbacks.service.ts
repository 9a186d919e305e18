import { OpenLimit } from '@malipo/kit/http/open-limit'
import { overloaded } from '@malipo/kit/http/problem'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Inject, Injectable } from '@nestjs/common'
import type { IncomingHttpHeaders } from 'node:http'
import type { CallbackReading } from '../providers/reading.js'
import type { AccountClient } from './callback-accounts.js'
import { noCallbackUrl } from './callback.guard.js'
import { CallbackMetrics } from './callback-metrics.js'
import {
  CALLBACK_STORE,
  type CallbackStore,
  type IncomingCallback,
  type StoredCallback,
} from './callback-store.js'
import type { CallbackTarget } from './callback-target.js'
import { storedHeaders } from './stored-headers.js'

/** What an account sent, as received. */
export interface ReceivedMessage {
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

/**
 * Anyone may send to the URL of an account. Of these callbacks, those without a right signature get a part of the
 * requests that an account may have open, so that they displace no signed one.
 */
const MAX_OPEN_UNSIGNED = 250

/** A callback that the adapter can't read, which only triggers a query. */
const UNREADABLE: CallbackReading = {
  verdict: 'unsigned',
  reading: { kind: 'no_news', flags: ['unknown_shape'] },
}

/** Stores callbacks before anything else happens to them. */
@Injectable()
export class CallbacksService {
  private readonly unsigned = new OpenLimit()

  constructor(
    @Inject(CALLBACK_STORE) private readonly store: CallbackStore,
    @Inject(CallbackMetrics) private readonly metrics: CallbackMetrics,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /**
   * @returns what was stored, and of which account
   * @throws Problem 404 if an unsigned callback to the URL of an account names no open attempt, 503
   */
  async receive(target: CallbackTarget, message: ReceivedMessage) {
    const callback = this.callbackOf(target, message)
    const stored = await this.storeWithin(callback)
    const { account, reading } = callback
    if (stored.outcome === 'unknown_attempt') {
      const isForged = reading.verdict === 'invalid'
      this.metrics.count(account, isForged ? 'bad_signature' : 'unknown_attempt')
      throw noCallbackUrl()
    }
    this.metrics.count(account, stored.outcome)
    return { callback, stored }
  }

  private async storeWithin(callback: IncomingCallback): Promise<StoredCallback> {
    const { account, attemptId, reading } = callback
    if (attemptId !== undefined || reading.verdict === 'signed') return this.store.store(callback)
    if (!this.unsigned.enter(account, MAX_OPEN_UNSIGNED)) {
      this.metrics.count(account, 'overloaded')
      throw overloaded()
    }
    try {
      return await this.store.store(callback)
    } finally {
      this.unsigned.leave(account)
    }
  }

  private callbackOf({ client, attempt }: CallbackTarget, message: ReceivedMessage) {
    const headers = storedHeaders(message.headers, attempt?.nonce)
    const callback: IncomingCallback = {
      account: client.account.name,
      attemptId: attempt?.id,
      headers,
      bytes: message.bytes,
      reading: this.readingOf(client, message),
      at: new Date(databaseNow()),
      operationId: newUuid(),
    }
    return callback
  }

  /** An adapter does not throw. If one does, the bytes are stored all the same. */
  private readingOf({ adapter, account }: AccountClient, message: ReceivedMessage) {
    const headers = message.headers as Readonly<Record<string, string | undefined>>
    try {
      return adapter.readCallback?.({ headers, body: message.bytes }, account) ?? UNREADABLE
    } catch (error) {
      this.log.error({ err: error, account: account.name }, 'the adapter failed to read a callback')
      return UNREADABLE
    }
  }
}
