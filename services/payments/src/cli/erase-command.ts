import { parseOptions, UsageError } from '@malipo/kit/command'
import { normaliseEmail, normalisePhone } from '@malipo/kit/http/contact'
import type { Person } from '../erasure/erasure.js'

export const USAGE = `erase [--phone +256772123456] [--email amina@example.com] [--apply]

Replaces the personal data of a payer by pseudonyms: of all payments with this phone or this email.
Amounts, states, times and ids stay. Without --apply, it prints what would change, and changes nothing.
It is refused while a provider is asked about one of the payments.

ERASE_PHONE and ERASE_EMAIL are used instead of missing options: other users can see the arguments of
a process. ERASURE_KEYS_FILE has the keys, one per line of at least 32 bytes; the first makes pseudonyms.`

export interface EraseCommand {
  readonly person: Person
  readonly isApplied: boolean
}

/** @throws UsageError for an unknown argument, or without a valid phone or email */
export function parseErase(
  args: string[],
  env: { readonly ERASE_PHONE?: string; readonly ERASE_EMAIL?: string },
): EraseCommand {
  const string = { type: 'string' } as const
  const { values } = parseOptions(USAGE, {
    args,
    options: {
      phone: string,
      email: string,
      apply: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const { phone = env.ERASE_PHONE, email = env.ERASE_EMAIL, apply = false, help } = values
  if (help || (phone === undefined && email === undefined)) throw new UsageError(USAGE)
  const person = {
    phone: phone === undefined ? undefined : normalisePhone(phone),
    email: email === undefined ? undefined : normaliseEmail(email),
  }
  if (phone !== undefined && person.phone === undefined) {
    throw new UsageError('--phone must be a phone number')
  }
  if (email !== undefined && person.email === undefined) {
    throw new UsageError('--email must be an email address')
  }
  return { person, isApplied: apply }
}
