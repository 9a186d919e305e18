import { expect, it } from 'vitest'
import { bearerToken } from './bearer.js'

it.each([
  ['Bearer abc.def-_~+/.x==', 'abc.def-_~+/.x=='],
  ['bearer abc', 'abc'],
  ['BEARER  abc', 'abc'],
  [undefined, undefined],
  ['', undefined],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Bearerabc', undefined],
  ['Bearer a b', undefined],
  ['Bearer a, Bearer b', undefined],
  ['Bearer =a', undefined],
  ['Bearer é', undefined],
  ['Basic abc', undefined],
  [' Bearer abc', undefined],
])('the token of %j is %j', (header, token) => {
  expect(bearerToken(header)).toBe(token)
})

it('rejects a long header in linear time', () => {
  const started = performance.now()
  expect(bearerToken(`Bearer ${' '.repeat(8_000)}${'='.repeat(8_000)}!`)).toBeUndefined()
  expect(performance.now() - started).toBeLessThan(100)
})
