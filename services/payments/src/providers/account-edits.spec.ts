import { describe, expect, it } from 'vitest'
import { MTN_UGANDA } from '../../test/provider-account.js'
import { illegalEdits, type StoredAccount } from './account-edits.js'
import type { ProviderAccount } from './accounts.js'

const account: ProviderAccount = { ...MTN_UGANDA, baseUrl: 'https://proxy.momoapi.mtn.com' }
const { name, adapter, mode, country, currency, baseUrl, state } = account
const stored: StoredAccount = {
  ...{ name, adapter, mode, country, currency, baseUrl, state },
  openAttempts: 3,
}
const placesOf = (before: StoredAccount, ...after: ProviderAccount[]) =>
  illegalEdits([before], after).map(({ at }) => at)

describe('R27: an account', () => {
  it('may be added', () => {
    expect(illegalEdits([], [account])).toEqual([])
    expect(
      placesOf(
        stored,
        { ...account, name: 'mtn-ug-2', baseUrl: 'https://momoapi.momo.africa' },
        account,
      ),
    ).toEqual([])
  })

  it.each([
    ['adapter', { adapter: 'standard' }],
    ['mode', { mode: 'sandbox' as const }],
    ['country', { country: 'RW' }],
    ['currency', { currency: 'RWF' }],
    ['baseUrl', { baseUrl: 'https://momoapi.momo.africa' }],
  ])('is not edited in place: %s', (field, change) => {
    expect(placesOf(stored, { ...account, ...change })).toEqual([`accounts[0].${field}`])
    expect(placesOf({ ...stored, openAttempts: 0 }, { ...account, ...change })).toEqual([
      `accounts[0].${field}`,
    ])
  })

  it('may change limits, merchants, files and settings', () => {
    const change = {
      limits: { ...account.limits, rate: 20 },
      merchants: ['0197f0a0-0000-7000-8000-000000000001'],
      credentialFiles: [{ apiKey: '/run/secrets/new' }],
      settings: { targetEnvironment: 'mtnuganda' },
    }
    expect(placesOf(stored, { ...account, ...change })).toEqual([])
  })

  it('is not removed while attempts are open', () => {
    expect(illegalEdits([stored], [])).toEqual([
      {
        at: 'accounts',
        message:
          'must have the account mtn-ug, which has 3 open attempts: set its state to draining',
      },
    ])
    expect(placesOf({ ...stored, openAttempts: 0 })).toEqual([])
  })

  it('is drained before it is closed, and stays closed', () => {
    const closed = { ...account, state: 'closed' as const }
    expect(placesOf(stored, { ...account, state: 'draining' })).toEqual([])
    expect(placesOf({ ...stored, state: 'draining' }, closed)).toEqual(['accounts[0].state'])
    expect(placesOf({ ...stored, state: 'draining', openAttempts: 0 }, closed)).toEqual([])
    expect(placesOf({ ...stored, state: 'draining' }, account)).toEqual([])
    const reopened = { ...stored, state: 'closed', openAttempts: 0 } as const
    expect(placesOf(reopened, account)).toEqual(['accounts[0].state'])
    expect(placesOf(reopened, { ...account, state: 'draining' })).toEqual(['accounts[0].state'])
  })

  it('that is closed with open attempts is drained again', () => {
    const closed = { ...stored, state: 'closed' } as const
    expect(placesOf(closed, { ...account, state: 'draining' })).toEqual([])
    expect(placesOf(closed, { ...account, state: 'closed' })).toEqual(['accounts[0].state'])
    expect(placesOf(closed, account)).toEqual(['accounts[0].state'])
    expect(placesOf(closed)).toEqual(['accounts'])
  })

  it('has a fault that states what to do', () => {
    const [fault] = illegalEdits([stored], [{ ...account, baseUrl: 'https://momoapi.momo.africa' }])
    expect(fault?.message).toBe(
      'must stay https://proxy.momoapi.mtn.com: add an account with another name, and set the state of mtn-ug to draining',
    )
  })
})
