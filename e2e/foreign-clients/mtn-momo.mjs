// Checks of the npm client `mtn-momo`: sandbox provisioning, payments, queries and refusals.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'

const { NPM, SIMULATOR_URL } = process.env
const { create, PayerType, Status } = createRequire(`${NPM}/`)('mtn-momo')

async function check(name, run) {
  const error = await run().then(
    () => null,
    (error) => String(error?.stack ?? error),
  )
  process.stdout.write(`${JSON.stringify({ check: name, error })}\n`)
}

const request = {
  amount: '50',
  currency: 'EUR',
  externalId: '42',
  payer: { partyIdType: PayerType.MSISDN, partyId: '256772123456' },
  payerMessage: 'Order 42',
  payeeNote: 'Order 42',
}
const rejects = (promise, name) => assert.rejects(promise, (error) => error.name === name)

const { Users, Collections } = create({ callbackHost: 'localhost', baseUrl: SIMULATOR_URL })
const primaryKey = 'any subscription'
let collections
let reference

await check('creates a user and a key, and gets a token with a POST without a body', async () => {
  const users = Users({ primaryKey })
  const userId = await users.create('localhost')
  const { apiKey } = await users.login(userId)
  assert.match(apiKey, /^[\da-f]{32}$/)
  collections = Collections({ userId, userSecret: apiKey, primaryKey })
  assert.equal((await collections.getBalance()).availableBalance, '0.00')
})
await check('pays', async () => {
  reference = await collections.requestToPay(request)
  assert.match(reference, /^[\da-f-]{36}$/)
})
await check('queries a payment, and the balance has it', async () => {
  const { status, amount, financialTransactionId } = await collections.getTransaction(reference)
  assert.equal(status, Status.SUCCESSFUL)
  assert.equal(amount, '50')
  assert.match(financialTransactionId, /^\d+$/)
  assert.deepEqual(await collections.getBalance(), { availableBalance: '50.00', currency: 'EUR' })
})
await check('queries an account holder by an upper-case path', async () => {
  assert.deepEqual(await collections.isPayerActive('256772123456'), { result: true })
  assert.deepEqual(await collections.isPayerActive('46733123451'), { result: false })
})
await check('is refused another currency', () =>
  rejects(collections.requestToPay({ ...request, currency: 'UGX' }), 'InvalidCurrencyError'),
)
await check('is refused a callback to another host', () => {
  const callbackUrl = 'https://other.example/callback'
  const paid = collections.requestToPay({ ...request, callbackUrl })
  return rejects(paid, 'InvalidCallbackUrlHostError')
})
await check('is refused an unknown reference', () =>
  rejects(collections.getTransaction(randomUUID()), 'ResourceNotFoundError'),
)
await check('reads the failure of a payment that the payer rejects', async () => {
  const payer = { ...request.payer, partyId: '46733123451' }
  const rejected = await collections.requestToPay({ ...request, payer })
  await rejects(collections.getTransaction(rejected), 'ApprovalRejectedError')
})
