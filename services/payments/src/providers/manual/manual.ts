import { PAYMENT_METHODS } from '../../money/payment-methods.js'
import type { Adapter } from '../adapter.js'
import { readFields } from '../fields.js'

/** Sends nothing: a person, or a signed webhook, moves the payment. */
export const manual: Adapter<Record<string, never>> = {
  name: 'manual',
  capabilities: {
    methods: PAYMENT_METHODS,
    reference: 'ours',
    amount: 'stated',
    callback: { url: 'webhook', signed: true },
    textLength: 100,
    visibilitySeconds: 0,
  },
  credentials: {},
  parseSettings: (given) => readFields(given).result({}),
  newReference: (_random, paymentReference) => paymentReference,
  payerOf: (phone) => phone,
}
