import { pseudonymOfEmail, pseudonymOfPhone } from '@malipo/kit/http/pseudonym'

/** Pseudonyms of users: pure functions. */

/** Whose account is erased. */
export type ErasedPerson = { readonly id: string } | { readonly phone: string }

/**
 * A person may register again after an erasure, and be erased again. Phones of accounts are unique, so that each of
 * their accounts has another pseudonym.
 */
const MAX_ACCOUNTS = 10
const NTHS = Array.from({ length: MAX_ACCOUNTS }, (_, nth) => nth)

/** The phones by which the accounts of a person are found, so that an interrupted run can be repeated. */
export function phonesOf(keys: readonly Buffer[], phone: string): string[] {
  return [phone, ...keys.flatMap((key) => NTHS.map((nth) => pseudonymOfPhone(key, phone, nth)))]
}

export interface Contact {
  readonly phone: string
  readonly email: string
}

/** The possible pseudonyms of a user, to be tried in this order. */
export function candidatesFor(key: Buffer, { phone, email }: Contact): Contact[] {
  return NTHS.map((nth) => ({
    phone: pseudonymOfPhone(key, phone, nth),
    email: pseudonymOfEmail(key, email, nth),
  }))
}
