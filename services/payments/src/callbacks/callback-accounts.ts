import type { Adapter, AdapterAccount } from '../providers/adapter.js'

/** What callbacks need of the accounts at providers. */
export interface CallbackAccounts {
  /** An account that is not closed; undefined if none has the name. */
  clientOf(name: string): AccountClient | undefined
  /** The names of all accounts, for metrics. */
  names(): readonly string[]
}

export interface AccountClient {
  readonly adapter: Pick<Adapter, 'capabilities' | 'readCallback'>
  readonly account: AdapterAccount<unknown>
}

/** The injection token of the accounts. */
export const CALLBACK_ACCOUNTS = Symbol('the accounts that receive callbacks')
