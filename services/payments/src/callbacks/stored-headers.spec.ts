import { expect, it } from 'vitest'
import { storedHeaders } from './stored-headers.js'

const NONCE = '5MNo2Z5A5Q5hKwYl3VUq_A'

it('stores headers as received, apart from credentials and those with the nonce', () => {
  const stored = {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    'user-agent': 'provider/1.0',
    'x-signature': 'a, b',
  }
  const headers = {
    ...stored,
    authorization: 'Basic c2VjcmV0',
    'proxy-authorization': 'Basic c2VjcmV0',
    cookie: 'a=b',
    'x-original-uri': `/api/payments/webhook/mtn-ug/1/${NONCE}?x=1`,
  }
  expect(storedHeaders(headers, NONCE)).toEqual(stored)
  const { authorization, cookie, ...others } = storedHeaders(headers, undefined)
  expect([authorization, cookie, Object.keys(others).length]).toEqual([undefined, undefined, 5])
})

it('joins the values of a header that occurs several times', () => {
  expect(storedHeaders({ 'set-cookie': ['a', 'b'], from: undefined }, NONCE)).toEqual({
    'set-cookie': 'a, b',
  })
})
