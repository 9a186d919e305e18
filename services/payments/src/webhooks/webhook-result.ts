import type { Problem } from '@malipo/kit/http/problem'
import type { Payment } from '../payments/payment.entity.js'

/** The outcomes of webhooks, as metrics count them. */
export const SUCCEEDED = ['applied', 'superseded', 'duplicate'] as const
export const REJECTED = [
  'premature',
  'conflict',
  'other_amount',
  'repeated_transaction',
  'unknown_payment',
  'other_account',
] as const

/** The outcome of a webhook, and the answer to its sender. */
export type Result =
  | { readonly outcome: (typeof SUCCEEDED)[number]; readonly payment: Payment }
  | { readonly outcome: (typeof REJECTED)[number]; readonly problem: Problem }
