import { parseOptions, UsageError } from '@malipo/kit/command'
import { parseTime } from '@malipo/kit/http/time'
import { idOf } from '../payments/payment.view.js'
import type { MessageFilter } from '../webhooks/evidence.store.js'

export const USAGE = `messages verify [id…] [--payment PAY-…] [--webhook-id id] [--from time] [--to time]
messages export [id…] [the same options]
messages keys

Verifies the signatures of stored provider messages, however old they are.
verify  prints the result of each message; the exit code is 1 if one is not valid
export  prints each message as a line of JSON, with its body in base64
keys    prints the keys of all stored messages, and whether they are configured

The keys are those of WEBHOOK_SECRETS[_FILE] and WEBHOOK_RETIRED_SECRETS_FILE. A time is in the form
of RFC 3339. --from and --to limit the time at which a message was received.`

const VERBS = ['verify', 'export', 'keys'] as const

export interface MessagesCommand extends MessageFilter {
  readonly verb: (typeof VERBS)[number]
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** @throws UsageError for a missing, unknown or malformed argument */
export function parseCommand(args: string[]): MessagesCommand {
  const string = { type: 'string' } as const
  const { values, positionals } = parseOptions(USAGE, {
    args,
    allowPositionals: true,
    options: {
      payment: string,
      'webhook-id': string,
      from: string,
      to: string,
      help: { type: 'boolean' },
    },
  })
  const verb = VERBS.find((known) => known === positionals[0])
  const ids = positionals.slice(1)
  const { payment, 'webhook-id': webhookId, from, to } = values
  const isFiltered = ids.length > 0 || [payment, webhookId, from, to].some(Boolean)
  if (values.help || !verb || (verb === 'keys' && isFiltered)) throw new UsageError(USAGE)
  if (!ids.every((id) => UUID.test(id))) throw new UsageError('an id must be a UUID')
  const paymentId = payment === undefined ? undefined : idOf(payment)
  if (payment !== undefined && paymentId === undefined) {
    throw new UsageError('--payment must be the reference of a payment, such as PAY-019a…')
  }
  return {
    verb,
    ids: ids.length > 0 ? ids : undefined,
    paymentId,
    webhookId,
    from: timeOf('--from', from),
    to: timeOf('--to', to),
  }
}

function timeOf(option: string, text: string | undefined): Date | undefined {
  const time = parseTime(text)
  if (text === undefined || time) return time
  throw new UsageError(`${option} must be an RFC 3339 time, such as 2026-01-31T12:00:00Z`)
}
