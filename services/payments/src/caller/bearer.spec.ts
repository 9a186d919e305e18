import { describe, expect, it } from 'vitest'
import { bearerJwt } from './bearer.js'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (payload: unknown) => `${part({ alg: 'HS256' })}.${part(payload)}.c2lnbmF0dXJl`

describe('a bearer token', () => {
  it.each(['Bearer', 'bearer', 'BEARER', 'Bearer  '])('follows %j', (scheme) => {
    expect(bearerJwt(`${scheme} ${jwt({})}`)).toBe(jwt({}))
  })

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    jwt({}),
    `Basic ${jwt({})}`,
    'Bearer not-a-jwt',
    `Bearer ${jwt({})} ${jwt({})}`,
    `Bearer ${jwt({})},`,
    `Bearer ${part({ alg: 'none' })}.${part({})}.`,
    `Bearer ${'a'.repeat(4_096)}.b.c`,
  ])('is not in %j', (header) => {
    expect(bearerJwt(header)).toBeUndefined()
  })
})
