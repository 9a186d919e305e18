import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accountOfToken, issueToken } from './access-token.js'

const ACCOUNT = { id: 'account', secret: 'secret' }
const NOW_MS = 1_800_000_000_000
const TOKEN = issueToken('mtn-momo', ACCOUNT, 60, NOW_MS)

/** The account of the token, for an account that may have another secret now. */
function accountOf(token: string, { issuer = 'mtn-momo', nowMs = NOW_MS, account = ACCOUNT } = {}) {
  const find = (id: string) => (id === account.id ? account : undefined)
  return accountOfToken(issuer, `Bearer ${token}`, find, nowMs)
}

describe('an access token', () => {
  it('is valid until it expires', () => {
    expect(accountOf(TOKEN, { nowMs: NOW_MS + 59_999 })).toBe(ACCOUNT)
    expect(accountOf(TOKEN, { nowMs: NOW_MS + 60_000 })).toBeUndefined()
  })

  it('is invalid for another provider, another account or another secret', () => {
    expect(accountOf(TOKEN, { issuer: 'airtel-money' })).toBeUndefined()
    expect(accountOf(TOKEN, { account: { ...ACCOUNT, id: 'other' } })).toBeUndefined()
    expect(accountOf(TOKEN, { account: { ...ACCOUNT, secret: 'other' } })).toBeUndefined()
  })

  it('is invalid for an account without a secret', () => {
    const account = { ...ACCOUNT, secret: '' }
    expect(accountOf(issueToken('mtn-momo', account, 60, NOW_MS), { account })).toBeUndefined()
  })

  it('is invalid if a character was changed', () => {
    // The last character encodes two bits that are not used.
    fc.assert(
      fc.property(fc.nat(TOKEN.length - 2), fc.constantFrom('A', 'b', '7', '.'), (index, other) => {
        fc.pre(TOKEN[index] !== other)
        const changed = TOKEN.slice(0, index) + other + TOKEN.slice(index + 1)
        return accountOf(changed) === undefined
      }),
    )
  })

  it('is invalid as any other string', () => {
    fc.assert(fc.property(fc.string(), (token) => accountOf(token) === undefined))
  })
})
