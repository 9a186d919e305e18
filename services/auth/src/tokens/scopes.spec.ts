import { describe, expect, it } from 'vitest'
import {
  defaultScopes,
  effectiveKeyScopes,
  effectiveScopes,
  grantableScopes,
  keyScopes,
  OPERATOR_SCOPES,
} from './scopes.js'

describe('scopes', () => {
  it.each([
    ['sandbox', ['payments:read', 'payments:write', 'payments:settle', 'webhooks:write']],
    ['live', ['payments:read']],
  ] as const)('of every user in %s', (mode, scopes) => {
    expect(defaultScopes(mode)).toEqual(scopes)
    expect(effectiveScopes(null, mode)).toEqual(scopes)
  })

  it('can be granted but for payments:settle in live', () => {
    expect(grantableScopes('live')).not.toContain('payments:settle')
    expect(grantableScopes('sandbox')).toContain('payments:settle')
    for (const mode of ['sandbox', 'live'] as const) {
      expect(grantableScopes(mode)).toEqual(
        expect.arrayContaining([
          'payments:write',
          'webhooks:write',
          'payments:admin',
          'auth:admin',
        ]),
      )
    }
  })

  it('of operators are not those that an operator grants', () => {
    expect(OPERATOR_SCOPES).toEqual(['payments:admin', 'auth:admin'])
  })

  it.each([
    ['live', [], []],
    ['live', ['payments:write', 'payments:read'], ['payments:read', 'payments:write']],
    ['live', ['auth:admin', 'payments:read'], ['payments:read', 'auth:admin']],
    ['live', ['payments:settle'], []],
    ['sandbox', ['payments:settle'], ['payments:settle']],
    ['sandbox', ['payments:all', 'payments:read'], ['payments:read']],
  ] as const)('in %s: of %j stored, %j count', (mode, stored, scopes) => {
    expect(effectiveScopes(stored, mode)).toEqual(scopes)
  })

  it.each([
    ['sandbox', ['payments:read', 'payments:write', 'payments:settle', 'webhooks:write']],
    ['live', ['payments:read', 'payments:write', 'webhooks:write']],
  ] as const)('that keys can have in %s are never those of operators', (mode, scopes) => {
    expect(keyScopes(mode)).toEqual(scopes)
  })

  it.each([
    ['live', ['payments:read', 'payments:write'], null, ['payments:read']],
    ['live', ['payments:write'], ['payments:read', 'payments:write'], ['payments:write']],
    ['live', ['payments:settle', 'payments:read'], ['payments:settle'], []],
    ['sandbox', ['payments:settle'], null, ['payments:settle']],
    ['live', ['webhooks:write'], ['payments:read', 'payments:write'], []],
    ['live', ['webhooks:write'], ['payments:read', 'webhooks:write'], ['webhooks:write']],
    ['sandbox', ['webhooks:write'], null, ['webhooks:write']],
    ['sandbox', ['auth:admin', 'payments:admin'], ['auth:admin', 'payments:admin'], []],
    ['sandbox', ['payments:read'], [], []],
  ] as const)('in %s, of a key with %j and a merchant with %j', (mode, key, merchant, scopes) => {
    expect(effectiveKeyScopes(key, merchant, mode)).toEqual(scopes)
  })
})
