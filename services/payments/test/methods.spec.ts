import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser, type User } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { providersFile } from './provider-stage.js'

let payments: Payments
let owner: User
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-methods-'))
  payments = await startPayments({ PROVIDERS_FILE: providersFile(folder, 'http://127.0.0.1:1') })
  owner = await newUser()
})
afterAll(() => payments.close())

const list = (query = '') => payments.client.get(`/api/payments/methods${query}`, owner)

describe('GET /api/payments/methods', () => {
  it('lists the accounts with currency, digits and limits', async () => {
    const { status, body } = await list()
    expect(status).toBe(200)
    expect(body.data.map(({ provider }: { provider: string }) => provider)).toEqual([
      'mtn-ug',
      'airtel-ug',
      'acme',
    ])
    expect(body.data[0]).toEqual({
      provider: 'mtn-ug',
      providerName: 'mtn-momo',
      paymentMethods: ['MOBILE_MONEY'],
      country: 'UG',
      phoneCountries: ['UG'],
      currency: 'UGX',
      digits: 0,
      minAmount: '500',
      maxAmount: '5000000',
    })
  })

  it('lists those that can charge a number', async () => {
    for (const phone of ['%2B256772123456', '0772123456', '+256772123456']) {
      expect((await list(`?phone=${phone}`)).body.data).toHaveLength(3)
    }
    expect((await list('?phone=%2B254712345678')).body.data).toEqual([])
    expect((await list('?phone=12')).status).toBe(400)
  })

  it('needs a token', async () => {
    expect((await payments.client.get('/api/payments/methods')).status).toBe(401)
  })
})
