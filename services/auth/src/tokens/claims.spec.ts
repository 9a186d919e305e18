import { expect, it } from 'vitest'
import { claimsOf } from './claims.js'

const CLAIMS = {
  sub: '019b76da-a800-7000-8000-0242ac120002',
  sid: '019b76da-a800-7000-8000-0242ac120003',
  scope: 'payments:read',
  jti: '7d2b7a4e-8e0c-4f0c-9d64-0b9e4d7f9c11',
  iss: 'malipo-auth',
  aud: 'malipo',
  iat: 1_767_259_800,
  exp: 1_767_260_700,
}

it('drop unknown members', () => {
  expect(claimsOf(CLAIMS)).toEqual(CLAIMS)
  expect(claimsOf({ ...CLAIMS, scope: '' })).toEqual({ ...CLAIMS, scope: '' })
  expect(claimsOf({ ...CLAIMS, phone: '+256772123456' })).toEqual(CLAIMS)
})

it.each([
  null,
  'a string',
  {},
  ...Object.keys(CLAIMS).map((name) => ({ ...CLAIMS, [name]: undefined })),
  { ...CLAIMS, sub: 'amina' },
  { ...CLAIMS, sid: 1 },
  { ...CLAIMS, scope: ['payments:read'] },
  { ...CLAIMS, aud: ['malipo'] },
  { ...CLAIMS, exp: '1767260700' },
])('are none: %j', (payload) => {
  expect(claimsOf(payload)).toBeUndefined()
})
