import type {
  CallbackStore,
  IncomingCallback,
  KnownCallback,
  StoredCallback,
} from '../src/callbacks/callback-store.js'

/** The store of callbacks, which a test delays, lets fail and watches. */
export class ObservedStore implements CallbackStore {
  readonly applied: IncomingCallback[] = []
  /** What `store` and `apply` wait for. */
  work: (callback: IncomingCallback) => Promise<void> = async () => undefined
  application: (callback: IncomingCallback) => Promise<void> = async () => undefined
  /** Calls of `store` that have begun. */
  calls = 0

  constructor(private readonly real: CallbackStore) {}

  async store(callback: IncomingCallback): Promise<StoredCallback> {
    this.calls++
    await this.work(callback)
    return this.real.store(callback)
  }

  async apply(callback: IncomingCallback, stored: KnownCallback): Promise<void> {
    await this.application(callback)
    await this.real.apply(callback, stored)
    this.applied.push(callback)
  }
}
