import { expect, it } from 'vitest'
import { pathOf } from './problem.js'

it.each([
  ['/api/nothing?phone=0772123456', '/api/nothing'],
  ['http://any.example/api/nothing?phone=0772123456', '/api/nothing'],
  ['HTTPS://any.example:8443/api', '/api'],
  ['http://any.example?phone=0772123456', '/'],
  ['http://any.example', '/'],
  ['/nothing#0772123456', '/nothing'],
  ['', '/'],
  [undefined, '/'],
  [`/${'x'.repeat(9_000)}`, `/${'x'.repeat(999)}`],
])('the path of %s excludes the host and the query, and is limited', (url, path) => {
  expect(pathOf({ url })).toBe(path)
})
