import type { AccountClient, CallbackAccounts } from './callback-accounts.js'
import { isNonce } from '../providers/nonce.js'

/** The parameters of a callback's path. The URL of an account has no `attempt` and `nonce`. */
export interface CallbackPath {
  readonly account: string
  readonly attempt?: string
  readonly nonce?: string
}

/** What a callback URL names. */
export interface CallbackTarget {
  readonly client: AccountClient
  /** Undefined for the URL of an account. */
  readonly attempt: { readonly id: string; readonly nonce: string } | undefined
}

export type Rejection = 'unknown_account' | 'wrong_url' | 'bad_nonce'

const ACCOUNT = /^[a-z][a-z\d-]{0,39}$/
const ATTEMPT = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/

/**
 * Judges a callback's URL, without the database: a client that guesses URLs causes no query.
 *
 * @param keys of nonces
 */
export function targetOf(
  { account: name, attempt: id, nonce }: CallbackPath,
  accounts: Pick<CallbackAccounts, 'clientOf'>,
  keys: readonly Uint8Array[],
): CallbackTarget | Rejection {
  const client = ACCOUNT.test(name) ? accounts.clientOf(name) : undefined
  if (!client) return 'unknown_account'
  const { url } = client.adapter.capabilities.callback
  if (id === undefined || nonce === undefined) {
    return url === 'account' ? { client, attempt: undefined } : 'wrong_url'
  }
  if (url !== 'attempt') return 'wrong_url'
  const isRight = ATTEMPT.test(id) && isNonce(keys, name, id, nonce)
  return isRight ? { client, attempt: { id, nonce } } : 'bad_nonce'
}
