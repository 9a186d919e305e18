import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from '@malipo/local/process'
import { until } from '@malipo/testing/until'
import { describe, expect, it } from 'vitest'
import { type Accounts, readAccounts } from '../src/accounts.js'
import {
  mtnHeaders,
  newFolder,
  REQUEST_TO_PAY,
  startMerchant,
  startSimulator,
} from './simulator.js'

/** The accounts of a sandbox, as the built command writes them. */

const SIMULATOR = 'http://simulator:4100'
const PAYMENTS = 'http://payments:4000'

async function make({ folder = newFolder(), simulator = SIMULATOR, payments = PAYMENTS } = {}) {
  const args = ['--folder', folder, '--simulator', simulator, '--payments', payments]
  await runToEnd({ name: 'simulator', script: 'sandbox/make', args, env: {} })
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { folder, read, accounts: readAccounts(join(folder, 'accounts.json')) }
}

interface ProviderAccount {
  readonly name: string
  readonly baseUrl: string
  readonly callbackOrigin: string
  readonly credentials: Readonly<Record<string, string>>
}

const accountsOf = (text: string) =>
  (JSON.parse(text) as { accounts: readonly ProviderAccount[] }).accounts

describe('the accounts of a sandbox', () => {
  it('are the same for payments and the simulator', async () => {
    const { read, accounts } = await make()
    const content = Object.fromEntries(
      accountsOf(read('providers.yaml')).map(({ name, credentials }) => [
        name,
        Object.fromEntries(
          Object.entries(credentials).map(([field, path]) => [
            field.replace(/File$/, ''),
            readFileSync(path, 'utf8'),
          ]),
        ),
      ]),
    )
    const [sandbox, uganda] = accounts.mtnMomo
    expect(sandbox).toMatchObject({ ...content['mtn-sandbox'], targetEnvironment: 'sandbox' })
    expect(uganda).toMatchObject({ ...content['mtn-ug-sim'], targetEnvironment: 'mtnuganda' })
    expect(accounts.airtelMoney).toMatchObject([{ ...content['airtel-ug-sim'], currency: 'UGX' }])
  })

  it('have different credentials, which only their owner can read', async () => {
    const { folder, read } = await make()
    const names = readdirSync(folder).filter((name) => !/\.(json|yaml)$/.test(name))
    expect(names).toHaveLength(9)
    expect(new Set(names.map(read)).size).toBe(9)
    expect(names.map(read).every((text) => /^[\da-f]{64}$/.test(text))).toBe(true)
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)
    expect(new Set(modes)).toEqual(new Set([0o600]))
  })

  it('retain their credentials when the URLs change', async () => {
    const { folder, accounts } = await make()
    const changed = await make({
      folder,
      simulator: 'http://127.0.0.1:4110/',
      payments: 'http://localhost:4010/',
    })
    expect(accountsOf(changed.read('providers.yaml'))[0]).toMatchObject({
      baseUrl: 'http://127.0.0.1:4110',
      callbackOrigin: 'http://localhost:4010',
    })
    expect(changed.accounts.mtnMomo).toEqual(
      accounts.mtnMomo.map((account) => ({ ...account, callbackHost: 'localhost:4010' })),
    )
    const [{ callbackUrl } = {}] = changed.accounts.airtelMoney
    expect(callbackUrl).toBe('http://localhost:4010/api/payments/webhook/airtel-ug-sim')
  })

  it('receive callbacks', async () => {
    const merchant = await startMerchant()
    const { accounts } = await make({ payments: merchant.url })
    const simulator = await startSimulator({ accounts: () => accounts })
    const callbackUrl = `${merchant.url}/api/payments/webhook/mtn-sandbox/1/nonce`
    const headers = await mtnHeaders(simulator, accounts.mtnMomo[0])
    const { status } = await simulator.request({
      method: 'POST',
      url: '/collection/v1_0/requesttopay',
      headers: {
        ...headers,
        'x-reference-id': '0f0e0d0c-0b0a-4908-8706-050403020100',
        'x-callback-url': callbackUrl,
      },
      payload: REQUEST_TO_PAY,
    })
    expect(status).toBe(202)
    await until(() => merchant.received.length === 1)
  })

  it.each([
    ['an address for callbacks', { payments: 'http://127.0.0.1:4000' }],
    ['an IPv6 address for callbacks', { payments: 'http://[::1]:4000' }],
    ['a URL without a scheme', { simulator: 'simulator:4100' }],
  ])('are not written with %s', async (_, options) => {
    const folder = newFolder()
    await expect(make({ folder, ...options })).rejects.toThrow('--payments must have a host name')
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('a credential in a file', () => {
  const write = (account: object) => {
    const folder = newFolder()
    writeFileSync(join(folder, 'key'), 'from a file\n')
    const path = join(folder, 'accounts.json')
    writeFileSync(path, JSON.stringify({ standard: [{ name: 'b', currency: 'UGX', ...account }] }))
    return { path, folder }
  }
  const keyOf = ({ standard }: Accounts) => standard[0]?.apiKey

  it('is read without the line break at its end', () => {
    expect(keyOf(readAccounts(write({ apiKeyFile: 'key' }).path))).toBe('from a file')
  })

  it('may have an absolute path', () => {
    const { folder } = write({})
    expect(keyOf(readAccounts(write({ apiKeyFile: join(folder, 'key') }).path))).toBe('from a file')
  })

  it.each([
    [{ apiKeyFile: 'none' }, 'ACCOUNTS_FILE apiKeyFile must name a file that can be read'],
    [{ apiKeyFile: 'key', apiKey: 'x' }, 'apiKeyFile must not be set with apiKey'],
    [{ secretFile: 'key', apiKey: 'x' }, '/standard/0 must NOT have additional properties'],
    [{ apiKeyFile: 7 }, '/standard/0 must have required property'],
  ])('is a fault in %j', (account, message) => {
    expect(() => readAccounts(write(account).path)).toThrow(message)
  })
})
