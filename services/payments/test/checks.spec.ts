import { normaliseEmail } from '@malipo/kit/http/contact'
import { Problem } from '@malipo/kit/http/problem'
import { InputPipe } from '@malipo/kit/http/validation'
import {
  checkConstraints,
  type CheckConstraint,
  violations,
} from '@malipo/testing/check-constraints'
import { emailInput, emailsOfAllCodePoints, phoneInput } from '@malipo/testing/contact-inputs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataSource } from '../src/data-source.js'
import { CURRENCIES } from '../src/money/currencies.js'
import { parseAmount } from '../src/money/money.js'
import { PAYMENT_METHODS } from '../src/money/payment-methods.js'
import { ChangeStatusDto, CreatePaymentDto } from '../src/payments/payments.dto.js'
import { STATUSES } from '../src/payments/transitions.js'
import { SUBSCRIPTIONS } from '../src/notifications/events.js'
import { ENDPOINT_STATES } from '../src/webhook-endpoints/endpoint.view.js'
import {
  ChangeEndpointDto,
  CreateEndpointDto,
} from '../src/webhook-endpoints/webhook-endpoints.dto.js'
import { newUser } from './auth.js'
import { endpointInput } from './endpoints.js'
import { type Payments, startPayments } from './payments.js'
import { as, paymentInput } from './requests.js'

let payments: Payments
let checks: CheckConstraint[]
beforeAll(async () => {
  payments = await startPayments()
  checks = await checkConstraints(payments.sql)
})
afterAll(() => payments.close())

interface Filled {
  /** Changes to a valid body. */
  readonly input: fc.Arbitrary<Record<string, unknown>>
  readonly dto:
    | typeof CreatePaymentDto
    | typeof ChangeStatusDto
    | typeof CreateEndpointDto
    | typeof ChangeEndpointDto
  /** The column's value for a valid body, in PostgreSQL's text form. */
  readonly stored: (body: never) => string
}

const create = (input: Filled['input'], stored: (body: CreatePaymentDto) => string): Filled => ({
  input,
  dto: CreatePaymentDto,
  stored,
})

const endpoint = (input: Filled['input'], stored: (body: CreateEndpointDto) => string): Filled => ({
  input,
  dto: CreateEndpointDto,
  stored,
})

const longUrl = fc
  .integer({ min: 1_900, max: 2_100 })
  .map((length) => 'https://merchant.example/'.padEnd(length, 'x'))

const currency = fc.oneof(
  fc.constantFrom(...CURRENCIES),
  fc.string({ unit: fc.constantFrom(...Array.from('ABGHNUXabé')), minLength: 3, maxLength: 3 }),
  fc.anything(),
)

const amount = fc.oneof(
  fc.integer({ min: -1_000, max: 1_000_000 }),
  fc.double(),
  fc.stringMatching(/^-?\d{1,13}(\.\d{1,4})?$/),
  fc.anything(),
)

/** How a client fills the column of a CHECK constraint. */
const FILLED_BY_CLIENT: Record<keyof typeof dataSource.clientChecks, Filled> = {
  payments_amount_minor_check: create(
    fc.record({ amount, currency: fc.constantFrom('UGX', 'USD', 'BHD') }),
    (body) => String(parseAmount(body.amount, body.currency)),
  ),
  payments_currency_check: create(fc.record({ currency }), (body) => body.currency),
  payments_payment_method_check: create(
    fc.record({ paymentMethod: fc.oneof(fc.constantFrom(...PAYMENT_METHODS), fc.anything()) }),
    (body) => body.paymentMethod,
  ),
  payments_customer_phone_check: create(
    fc.record({ customerPhone: phoneInput }),
    (body) => body.customerPhone,
  ),
  payments_customer_email_check: create(
    fc.record({ customerEmail: emailInput }),
    (body) => body.customerEmail,
  ),
  payments_status_check: {
    input: fc.record({ status: fc.oneof(fc.constantFrom(...STATUSES), fc.anything()) }),
    dto: ChangeStatusDto,
    stored: (body: ChangeStatusDto) => body.status,
  },
  webhook_endpoints_url_check: endpoint(
    fc.record({ url: fc.oneof(fc.webUrl(), longUrl, fc.anything()) }),
    (body) => body.url,
  ),
  webhook_endpoints_events_check: endpoint(
    fc.record({ events: fc.oneof(fc.array(fc.constantFrom(...SUBSCRIPTIONS)), fc.anything()) }),
    (body) => `{${body.events.join()}}`,
  ),
  webhook_endpoints_state_check: {
    input: fc.record({ state: fc.oneof(fc.constantFrom(...ENDPOINT_STATES), fc.anything()) }),
    dto: ChangeEndpointDto,
    stored: (body: ChangeEndpointDto) => body.state ?? 'enabled',
  },
}

/** Columns with a CHECK constraint that only the service fills. */
const FILLED_BY_SERVICE = [
  'attempt_events.cause',
  'attempt_proposals.ended_as',
  'attempt_proposals.ended_as',
  'attempt_proposals.ended_as',
  'attempt_proposals.ended_at',
  'attempt_proposals.ended_by',
  'attempt_proposals.ended_by',
  'attempt_proposals.outcome',
  'attempt_proposals.proposed_by',
  'attempt_work.call',
  'attempt_work.call',
  'attempt_work.send_until',
  'deliveries.state',
  'delivery_tries.answer',
  'erasures.email',
  'erasures.email',
  'erasures.phone',
  'erasures.phone',
  'idempotency_keys.response_status',
  'operator_actions.action',
  'payment_attempts.attention',
  'payment_attempts.attention_at',
  'payment_attempts.closed_at',
  'payment_attempts.failure',
  'payment_attempts.state',
  'payment_attempts.state',
  'payment_attempts.state',
  'payment_events.cause',
  'payment_totals_position.singleton',
  'provider_accounts.country',
  'provider_accounts.currency',
  'provider_accounts.mode',
  'provider_accounts.name',
  'provider_accounts.state',
  'provider_call_limits.call',
  // Bodies over the limit of the column are rejected before they are parsed (413).
  'provider_messages.body',
  'provider_messages.key_id',
  'provider_messages.kind',
  'provider_messages.kind',
  'provider_messages.kind',
  'provider_messages.kind',
  'provider_messages.outcome',
  'provider_messages.outcome',
  'provider_messages.payment_id',
  'provider_messages.reading',
  'provider_messages.source',
  'provider_messages.verdict',
  'provider_messages.verdict',
  'provider_messages.webhook_id',
  'webhook_endpoint_secrets.public_key',
  'webhook_endpoint_secrets.scheme',
  'webhook_endpoint_secrets.scheme',
  'webhook_endpoints.disabled_reason',
  'webhook_endpoints.disabled_reason',
  'webhook_endpoints.state',
]

/** The column's value for an input; undefined if the input is rejected. */
async function storedValue({ dto, stored }: Filled, changes: object): Promise<string | undefined> {
  const body = validBody(dto, changes)
  try {
    const valid = await new InputPipe().transform(body, { type: 'body', metatype: dto })
    return stored(valid as never)
  } catch (error) {
    if (error instanceof Problem) return undefined
    throw error
  }
}

function validBody(dto: Filled['dto'], changes: object) {
  if (dto === CreatePaymentDto) return paymentInput({ ...changes })
  return dto === CreateEndpointDto ? endpointInput({ ...changes }) : changes
}

describe('a CHECK constraint', () => {
  it('is on a column that the service fills, or is tested with input of clients', () => {
    const rest = checks.filter(({ name }) => !(name in FILLED_BY_CLIENT))
    expect(rest.flatMap(({ columns }) => columns).sort()).toEqual(FILLED_BY_SERVICE)
    const tested = Object.keys(FILLED_BY_CLIENT).sort()
    expect(tested).toEqual(Object.keys(dataSource.clientChecks).sort())
  })

  it.each(Object.entries(FILLED_BY_CLIENT))(
    '%s holds for all valid input',
    async (name, filled) => {
      const check = checks.find((one) => one.name === name)
      if (!check) throw new Error(`there is no constraint ${name}`)
      const inputs = fc.sample(filled.input, 2_000)
      const values = await Promise.all(inputs.map((changes) => storedValue(filled, changes)))
      const accepted = values.filter((value) => value !== undefined)
      expect(accepted.length).toBeGreaterThan(100)
      expect(await violations(payments.sql, check, accepted)).toEqual([])
    },
  )

  it('on email addresses holds for every accepted code point, and for no white space', async () => {
    const check = checks.find(({ name }) => name === 'payments_customer_email_check')
    if (!check) throw new Error('there is no constraint on email addresses')
    const emails = emailsOfAllCodePoints()
    const accepted = emails.flatMap((email) => normaliseEmail(email) ?? [])
    expect(accepted.length).toBeGreaterThan(50_000)
    expect(await violations(payments.sql, check, accepted)).toEqual([])
    const invisible = emails.filter((email) => /[\p{White_Space}\p{Cc}\p{Cf}]/u.test(email))
    const storable = invisible.filter((email) => !email.includes('\0'))
    expect(await violations(payments.sql, check, storable)).toEqual(storable)
  })
})

it('a violated CHECK constraint is a 400 that names the field, and fails no other request', async () => {
  await payments.sql('ALTER TABLE payments DROP CONSTRAINT payments_customer_email_check')
  await payments.sql(
    `ALTER TABLE payments
     ADD CONSTRAINT payments_customer_email_check CHECK (customer_email !~ '^bad') NOT VALID`,
  )
  const user = as(await newUser(), payments)
  const answers = await Promise.all(
    ['a@example.com', 'bad@example.com', 'b@example.com'].map((customerEmail) =>
      user.create({ customerEmail }),
    ),
  )
  expect(answers.map(({ status }) => status)).toEqual([201, 400, 201])
  expect(answers[1]?.body.errors).toEqual([{ field: 'customerEmail', message: 'is not allowed' }])
})
