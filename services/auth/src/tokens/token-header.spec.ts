import { describe, expect, it } from 'vitest'
import { tokenHeader } from './token-header.js'

const tokenOf = (header: string) => `${Buffer.from(header).toString('base64url')}.e30.c2ln`

describe('the header of a token', () => {
  it.each([
    { alg: 'HS256' },
    { alg: 'HS256', typ: 'JWT' },
    { alg: 'HS256', typ: 'jwt' },
    { alg: 'HS256', typ: 'at+jwt' },
    { alg: 'ES256', kid: 'a', typ: 'AT+JWT' },
    { alg: 'ES256', kid: 'a', typ: 'application/at+jwt' },
    { alg: 'ES256', kid: 'a', typ: 'application/jwt' },
  ])('%j is accepted', (header) => {
    expect(tokenHeader(tokenOf(JSON.stringify(header)))).toEqual(header)
  })

  it.each([
    ['a critical extension', { crit: ['exp'], exp: 1 }],
    ['an unencoded payload', { crit: ['b64'], b64: false }],
    ['an empty list of critical extensions', { crit: [] }],
    ['critical extensions that are null', { crit: null }],
    ['the type of a logout token', { typ: 'logout+jwt' }],
    ['the type of a proof of possession', { typ: 'dpop+jwt' }],
    ['the type of a security event', { typ: 'secevent+jwt' }],
    ['the type of a JWS', { typ: 'JOSE' }],
    ['a media type of another tree', { typ: 'text/jwt' }],
    ['an empty type', { typ: '' }],
    ['a type that is null', { typ: null }],
    ['a type that is a list', { typ: ['JWT'] }],
    ['a type with a space', { typ: 'JWT ' }],
  ])('with %s is rejected', (_, change) => {
    expect(tokenHeader(tokenOf(JSON.stringify({ alg: 'HS256', ...change })))).toBeUndefined()
  })

  it.each(['"text"', 'null', '1', '', '{', '{"alg":"HS256"'])('%j is rejected', (text) => {
    expect(tokenHeader(tokenOf(text))).toBeUndefined()
  })
})
