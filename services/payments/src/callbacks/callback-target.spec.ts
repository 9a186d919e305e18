import { describe, expect, it } from 'vitest'
import { airtelMoney } from '../providers/airtel-money/airtel-money.js'
import { mtnMomo } from '../providers/mtn-momo/mtn-momo.js'
import { standard } from '../providers/standard/standard.js'
import type { AccountClient } from './callback-accounts.js'
import { targetOf } from './callback-target.js'
import { nonceOf } from '../providers/nonce.js'

const KEYS = [Buffer.alloc(32, 'new'), Buffer.alloc(32, 'old')]
const ID = '0197f0a0-0000-7000-8000-00000000000a'

const account = (name: string) => ({
  name,
  mode: 'live' as const,
  country: 'UG',
  currency: 'UGX',
  digits: 0,
  settings: {},
  credentials: [],
})
const CLIENTS = new Map<string, AccountClient>([
  ['mtn-ug', { adapter: mtnMomo, account: account('mtn-ug') }],
  ['airtel-ug', { adapter: airtelMoney, account: account('airtel-ug') }],
  ['acme', { adapter: standard, account: account('acme') }],
])
const asked: string[] = []
const accounts = {
  clientOf(name: string) {
    asked.push(name)
    return CLIENTS.get(name)
  },
}

const judge = (name: string, attempt?: string, nonce?: string) =>
  targetOf({ account: name, attempt, nonce }, accounts, KEYS)
const right = (name: string, id = ID, key = KEYS[0] as Buffer) => nonceOf(key, name, id)

describe('a callback URL', () => {
  it('of an attempt names it, with a nonce by any key', () => {
    const client = CLIENTS.get('mtn-ug')
    for (const key of KEYS) {
      const nonce = right('mtn-ug', ID, key)
      expect(judge('mtn-ug', ID, nonce)).toEqual({ client, attempt: { id: ID, nonce } })
    }
  })

  it('of an account names no attempt', () => {
    const client = CLIENTS.get('airtel-ug')
    expect(judge('airtel-ug')).toEqual({ client, attempt: undefined })
  })

  it.each([
    ['mtn-ke', ID, right('mtn-ke'), 'unknown_account'],
    ['manual', undefined, undefined, 'unknown_account'],
    ['mtn-ug', undefined, undefined, 'wrong_url'],
    ['airtel-ug', ID, right('airtel-ug'), 'wrong_url'],
    ['acme', ID, right('acme'), 'wrong_url'],
    ['acme', undefined, undefined, 'wrong_url'],
    ['mtn-ug', ID, right('airtel-ug'), 'bad_nonce'],
    ['mtn-ug', ID, right('mtn-ug', ID, Buffer.alloc(32, 'x')), 'bad_nonce'],
    ['mtn-ug', ID, '', 'bad_nonce'],
    ['mtn-ug', ID.toUpperCase(), right('mtn-ug', ID.toUpperCase()), 'bad_nonce'],
    ['mtn-ug', 'PAY-1', right('mtn-ug', 'PAY-1'), 'bad_nonce'],
  ])('%s, %s, %s is rejected: %4$s', (name, id, nonce, rejection) => {
    expect(judge(name, id, nonce)).toBe(rejection)
  })

  it.each(['', 'MTN-UG', '1mtn', 'mtn_ug', '__proto__', 'constructor ', `a${'b'.repeat(40)}`])(
    'with %j, which is no name of an account, asks for none',
    (name) => {
      asked.length = 0
      expect(judge(name, ID, right(name))).toBe('unknown_account')
      expect(asked).toEqual([])
    },
  )
})
