import { parseOptions, UsageError } from '@malipo/kit/command'
import { normalisePhone } from '@malipo/kit/http/contact'
import { isUUID } from 'class-validator'
import type { ErasedPerson } from '../users/erasure.js'

const USAGE = `erase --id 019aa0a0-… | --phone +256772123456 [--apply]

Replaces the personal data of a user by pseudonyms, and removes the addresses and user agents of their
sessions and audit events. Ids, times and kinds of events stay. Without --apply, it prints what would
change, and changes nothing. The user's merchant must be closed.

ERASE_ID and ERASE_PHONE are used without options: other users can see the arguments of a process.
ERASURE_KEYS_FILE has the keys, one per line of at least 32 bytes; the first makes pseudonyms.`

export interface EraseCommand {
  readonly person: ErasedPerson
  readonly isApplied: boolean
}

/** @throws UsageError for an unknown argument, or without exactly one valid id or phone */
export function parseErase(
  args: string[],
  env: { readonly ERASE_ID?: string; readonly ERASE_PHONE?: string },
): EraseCommand {
  const string = { type: 'string' } as const
  const { id, phone, apply, help } = parseOptions(USAGE, {
    args,
    options: {
      id: string,
      phone: string,
      apply: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  }).values
  const given =
    id === undefined && phone === undefined
      ? { id: env.ERASE_ID, phone: env.ERASE_PHONE }
      : { id, phone }
  if (help || (given.id === undefined) === (given.phone === undefined)) throw new UsageError(USAGE)
  return { person: personOf(given), isApplied: apply ?? false }
}

function personOf({ id, phone }: { id?: string; phone?: string }): ErasedPerson {
  if (id !== undefined) {
    if (isUUID(id)) return { id }
    throw new UsageError('--id must be a UUID')
  }
  const normalised = normalisePhone(phone ?? '')
  if (normalised === undefined) throw new UsageError('--phone must be a phone number')
  return { phone: normalised }
}
