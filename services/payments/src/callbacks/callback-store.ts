import type { CallbackReading } from '../providers/reading.js'

/** What callbacks need of the database. */
export interface CallbackStore {
  /**
   * Stores a callback in one statement, and schedules a query of its attempt.
   *
   * - With `attemptId`: it is stored. If the account has no such attempt, such as after a restore, it is parked with
   *   this id.
   * - Without, and `signed`: the attempt is that with the reference or provider reference of the reading. Without such
   *   an attempt it is parked.
   * - Without, and not `signed`: it is stored only if the reading names an open attempt of the account. Its verdict
   *   stays as read.
   *
   * The same bytes for the same attempt, or the same id, are counted and not stored again. An attempt has at most
   * `MAX_UNSIGNED` different callbacks that are not signed. The statement is executed although the client has
   * disconnected (`evenIfAborted`): a provider may send a callback only once.
   *
   * @throws Problem 503 if the database is unavailable until the request's deadline
   */
  store(callback: IncomingCallback): Promise<StoredCallback>

  /**
   * Applies the reading of a signed callback, after the provider has its answer. It is called for repeats as well,
   * because the first application may have failed. If it fails, the query decides.
   */
  apply(callback: IncomingCallback, stored: KnownCallback): Promise<void>
}

/** The injection token of the store. */
export const CALLBACK_STORE = Symbol('the store of callbacks')

/** Different callbacks of an attempt that are not signed: further ones are dropped. */
export const MAX_UNSIGNED = 20

/** A callback as received. */
export interface IncomingCallback {
  readonly account: string
  /** From the URL, with the right nonce. Undefined if the account has one URL for all attempts. */
  readonly attemptId: string | undefined
  /** Those of stored-headers.ts. */
  readonly headers: Readonly<Record<string, string>>
  /** At most 64 kB, with whatever content coding they were sent. */
  readonly bytes: Buffer
  /** The verdict, and what the adapter reads from the bytes. */
  readonly reading: CallbackReading
  readonly at: Date
  readonly operationId: string
}

export type StoredCallback =
  | KnownCallback
  /** Stored without an attempt. */
  | { readonly outcome: 'parked'; readonly messageId: string }
  /** Not stored: the attempt has too many, or no open attempt is named. */
  | { readonly outcome: 'too_many' | 'unknown_attempt' }

/** A callback of a known attempt. */
export interface KnownCallback {
  readonly outcome: 'stored' | 'repeated'
  readonly messageId: string
  readonly attemptId: string
}
