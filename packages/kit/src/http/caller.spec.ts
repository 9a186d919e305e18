import { expect, it } from 'vitest'
import { ANONYMOUS, callerOf } from './caller.js'

it.each(['Bearer token', 'bearer token', 'Bearer   token', 'token'])(
  'is the token of %j',
  (header) => {
    expect(callerOf({ headers: { authorization: header } })).toBe('token')
  },
)

it.each([undefined, '', 'Bearer '])('is anonymous with the header %j', (header) => {
  expect(callerOf({ headers: header === undefined ? {} : { authorization: header } })).toBe(
    ANONYMOUS,
  )
})
