import type { AccountState, ProviderAccount } from './accounts.js'
import type { Fault } from './fields.js'

/**
 * Whether an edited PROVIDERS_FILE may replace the one in use. An account is added and drained, and never edited in
 * place: an attempt is queried where it was sent, because another platform does not know its reference.
 */

/** An account as the database stores it. */
export interface StoredAccount {
  readonly name: string
  readonly adapter: string
  readonly mode: string
  readonly country: string
  readonly currency: string
  readonly baseUrl: string
  readonly state: AccountState
  /** Attempts that are not closed, and closed ones that still have queries. */
  readonly openAttempts: number
}

const FIXED = ['adapter', 'mode', 'country', 'currency', 'baseUrl'] as const

/** Every fault of an edit; an edit without any is legal. */
export function illegalEdits(
  stored: readonly StoredAccount[],
  accounts: readonly ProviderAccount[],
): Fault[] {
  return stored.flatMap((before) => {
    const index = accounts.findIndex(({ name }) => name === before.name)
    const after = accounts[index]
    if (!after) return before.openAttempts > 0 ? [missing(before)] : []
    return faultsOf(before, after, `accounts[${index}]`)
  })
}

function missing({ name, openAttempts }: StoredAccount): Fault {
  const message = `must have the account ${name}, which has ${openAttempts} open attempts: set its state to draining`
  return { at: 'accounts', message }
}

function faultsOf(before: StoredAccount, after: ProviderAccount, at: string): Fault[] {
  const faults = FIXED.filter((field) => before[field] !== after[field]).map((field) => {
    const message = `must stay ${before[field]}: add an account with another name, and set the state of ${before.name} to draining`
    return { at: `${at}.${field}`, message }
  })
  const state = stateFault(before, after)
  return state === undefined ? faults : [...faults, { at: `${at}.state`, message: state }]
}

function stateFault(before: StoredAccount, after: ProviderAccount): string | undefined {
  if (after.state === 'closed' && before.openAttempts > 0) {
    return `must be draining while attempts are open: ${before.name} has ${before.openAttempts}`
  }
  // In a restored database, an account may have been closed while an attempt was created.
  const isReopened = after.state === 'draining' && before.openAttempts > 0
  if (before.state === 'closed' && after.state !== 'closed' && !isReopened) {
    return 'must stay closed: add an account with another name'
  }
  return undefined
}
