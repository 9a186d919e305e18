import { join } from 'node:path'
import { type Service, startService } from '@malipo/local/process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderAccount } from '../src/providers/accounts.js'
import type { Adapter } from '../src/providers/adapter.js'
import { airtelMoney } from '../src/providers/airtel-money/airtel-money.js'
import { chargeOf } from '../src/providers/charge.js'
import { mtnMomo } from '../src/providers/mtn-momo/mtn-momo.js'
import { standard } from '../src/providers/standard/standard.js'
import { MTN_UGANDA } from './provider-account.js'
import { always, fileOf, newFolder, startClient } from './provider-client/test-client.js'

/** The adapters against the simulator: requests that a provider understands, and answers that the adapter reads. */

const MTN = {
  userId: 'dXNlcg==',
  apiKey: 'a:token%with+punctuation',
  subscriptionKey: 'subscription-key',
  targetEnvironment: 'mtnuganda',
  platform: 'new',
  callbackHost: 'pay.example',
}
const AIRTEL = { clientId: 'client', clientSecret: 'client-secret', country: 'UG', currency: 'UGX' }
const BANK = { name: 'bank', apiKey: 'bank-key', currency: 'UGX' }

let simulator: Service

beforeAll(async () => {
  const folder = newFolder()
  const accounts = { mtnMomo: [MTN], airtelMoney: [AIRTEL], standard: [BANK] }
  simulator = await startService({
    name: 'simulator',
    env: {
      MODE: 'sandbox',
      ACCOUNTS_FILE: fileOf(JSON.stringify(accounts), 'accounts.json', folder),
      BOOK_FILE: join(folder, 'book.jsonl'),
      TIME_SCALE: '0',
    },
  })
})
afterAll(() => simulator.stop())

type Case = readonly [
  adapter: Adapter,
  credentials: Readonly<Record<string, string>>,
  settings: unknown,
  /** Before the two digits of a personality. */
  phone: string,
]

const CASES: readonly Case[] = [
  [
    mtnMomo,
    { userId: MTN.userId, apiKey: MTN.apiKey, subscriptionKey: MTN.subscriptionKey },
    { targetEnvironment: MTN.targetEnvironment },
    '+2567729000',
  ],
  [
    airtelMoney,
    { clientId: AIRTEL.clientId, clientSecret: AIRTEL.clientSecret },
    { signing: true },
    '+2567529000',
  ],
  [standard, { apiKey: BANK.apiKey }, {}, '+2567729000'],
]

/** A client of the simulator, and a charge of a payer with this personality. */
function startCharge([adapter, credentials, settings, phone]: Case, personality: string) {
  const files = Object.entries(credentials).map(([name, value]) => [name, fileOf(value)])
  const account: ProviderAccount = {
    ...MTN_UGANDA,
    adapter: adapter.name,
    baseUrl: simulator.url,
    credentialFiles: [Object.fromEntries(files)],
    settings,
  }
  const reference = `PAY-${crypto.randomUUID()}`
  const random = crypto.getRandomValues(new Uint8Array(16))
  const charge = chargeOf(
    adapter,
    account,
    { reference, amountMinor: 5_000n, currency: 'UGX', phone: `${phone}${personality}` },
    { reference: adapter.newReference(random, reference) },
  )
  if (typeof charge === 'string') throw new Error(`the account can’t carry the ${charge}`)
  return { charge, ...startClient({ account, adapter }) }
}

describe.each(CASES.map((each) => [each[0].name, each] as const))('%s', (name, given) => {
  it('sends a charge, and the query finds it paid', async () => {
    const { client, charge } = startCharge(given, '00')
    expect(await client.send(charge, always)).toMatchObject({ reading: { kind: 'pending' } })
    await expect
      .poll(async () => client.query(charge, always), { timeout: 20_000 })
      .toMatchObject({
        kind: 'read',
        reading: {
          kind: 'succeeded',
          transactionId: expect.any(String),
          ...(name === 'airtel-money' ? {} : { amount: '5000', currency: 'UGX' }),
        },
      })
  })

  it('R7: finds a charge whose answer was lost', async () => {
    const { client, charge } = startCharge(given, '11')
    expect(await client.send(charge, always)).toEqual({
      kind: 'read',
      reading: { kind: 'may_have_happened' },
      result: { phase: 'sent' },
    })
    await expect
      .poll(async () => client.query(charge, always), { timeout: 20_000 })
      .toMatchObject({ reading: { kind: 'succeeded' } })
  })

  it('R15: sends nothing while the provider is busy, and sends the same charge later', async () => {
    const { client, charge } = startCharge(given, '21')
    expect(await client.send(charge, always)).toMatchObject({
      reading: { kind: 'not_sent', retry: true, flags: ['rate_limited'] },
    })
    expect(await client.send(charge, always)).toMatchObject({ reading: { kind: 'pending' } })
  })

  it('reads the refusal of wrong credentials', async () => {
    const [adapter, credentials, settings, phone] = given
    const wrong = Object.fromEntries(Object.keys(credentials).map((key) => [key, 'wrong-secret']))
    const { client, charge } = startCharge([adapter, wrong, settings, phone], '00')
    expect(await client.send(charge, always)).toMatchObject({
      reading: { kind: 'not_sent', failure: 'provider_configuration', flags: ['configuration'] },
    })
    expect(await client.query(charge, always)).toMatchObject({
      reading: { kind: 'no_news', flags: ['configuration'] },
    })
  })
})
