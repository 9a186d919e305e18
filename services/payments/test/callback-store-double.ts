import { randomUUID } from 'node:crypto'
import {
  type CallbackStore,
  type IncomingCallback,
  type KnownCallback,
  MAX_UNSIGNED,
  type StoredCallback,
} from '../src/callbacks/callback-store.js'

interface Attempt {
  readonly id: string
  readonly account: string
  readonly reference: string
  readonly isOpen: boolean
}

/**
 * Stands in for the statement that stores callbacks, for the tests of their routes. It keeps the rules of
 * `CallbackStore` in memory; what the database does with them is not tested with it.
 */
export class StoreDouble implements CallbackStore {
  readonly messages: (IncomingCallback & { readonly id: string; times: number })[] = []
  readonly applied: IncomingCallback[] = []
  private readonly attempts: Attempt[] = []
  /** What `store` and `apply` wait for. */
  work: (callback: IncomingCallback) => Promise<void> = async () => undefined
  application: (callback: IncomingCallback) => Promise<void> = async () => undefined
  /** Calls of `store` that have begun. */
  calls = 0

  addAttempt(account: string, isOpen = true): Attempt {
    const reference = randomUUID().replaceAll('-', '')
    const attempt = { id: randomUUID(), account, reference, isOpen }
    this.attempts.push(attempt)
    return attempt
  }

  async store(callback: IncomingCallback): Promise<StoredCallback> {
    this.calls++
    await this.work(callback)
    const attempt = this.attemptOf(callback)
    const isSigned = callback.reading.verdict === 'signed'
    if (!attempt?.isOpen && callback.attemptId === undefined && !isSigned) {
      return { outcome: 'unknown_attempt' }
    }
    const attemptId = callback.attemptId ?? attempt?.id
    const others = this.messages.filter(
      (message) => message.account === callback.account && message.attemptId === attemptId,
    )
    const same = others.find(({ bytes }) => bytes.equals(callback.bytes))
    if (same) same.times++
    if (same && attempt) {
      return { outcome: 'repeated', messageId: same.id, attemptId: attempt.id }
    }
    if (same) return { outcome: 'parked', messageId: same.id }
    if (attempt && !isSigned && others.length >= MAX_UNSIGNED) return { outcome: 'too_many' }
    const id = randomUUID()
    this.messages.push({ ...callback, attemptId, id, times: 1 })
    if (!attempt) return { outcome: 'parked', messageId: id }
    return { outcome: 'stored', messageId: id, attemptId: attempt.id }
  }

  async apply(callback: IncomingCallback, _stored: KnownCallback): Promise<void> {
    await this.application(callback)
    this.applied.push(callback)
  }

  private attemptOf({ account, attemptId, reading }: IncomingCallback): Attempt | undefined {
    const ofAccount = this.attempts.filter((attempt) => attempt.account === account)
    if (attemptId !== undefined) return ofAccount.find(({ id }) => id === attemptId)
    return ofAccount.find(({ reference }) => reference === reading.reference)
  }
}
