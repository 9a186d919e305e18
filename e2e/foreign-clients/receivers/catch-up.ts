import { rm } from 'node:fs/promises'
import { check } from '../../checks.ts'
import { run } from '../../cluster.ts'
import { FOLDER, NPM } from '../tools.ts'
import type { Merchant } from './services.ts'

/** The program that reads missed events, run by a merchant with an API key. */

const CURSOR_FILE = `${FOLDER}/cursor`
/** More than a page of 100 events. */
const PAYMENTS = 60

export async function newPayment({ call }: Merchant, ...statuses: string[]): Promise<string> {
  const { reference } = await call('POST', '/api/payments', {
    amount: 5000,
    currency: 'UGX',
    paymentMethod: 'MOBILE_MONEY',
    customerPhone: '+256772123456',
    customerEmail: 'amina@example.com',
  })
  for (const status of statuses) {
    await call('POST', `/api/payments/${reference as string}/status`, { status })
  }
  return reference as string
}

/** Runs the program once. @returns the types of the events that it printed */
async function catchUp({ paymentsUrl, apiKey }: Merchant): Promise<string[]> {
  const env = { PAYMENTS_URL: paymentsUrl, API_KEY: apiKey, CURSOR_FILE }
  const output = await run(process.execPath, [`${NPM}/catch-up.mjs`], { env })
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { type: string }).type)
}

function assertEqual(actual: readonly string[], expected: readonly string[]): void {
  const [a, b] = [actual, expected].map((list) => JSON.stringify(list))
  if (a !== b) throw new Error(`${a} instead of ${b}`)
}

export async function checkCatchUp(merchant: Merchant): Promise<void> {
  await check('catch-up.mjs reads every event once over several runs', async () => {
    await rm(CURSOR_FILE, { force: true })
    assertEqual(await catchUp(merchant), [])
    const types = []
    for (let n = 0; n < PAYMENTS; n++) {
      await newPayment(merchant, 'PENDING')
      types.push('payment.created', 'payment.pending')
    }
    assertEqual(await catchUp(merchant), types)
    await newPayment(merchant)
    assertEqual(await catchUp(merchant), ['payment.created'])
    assertEqual(await catchUp(merchant), [])
  })
}
