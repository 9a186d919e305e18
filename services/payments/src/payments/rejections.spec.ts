import { expect, it } from 'vitest'
import { rejectionOf } from './rejections.js'
import type { Status } from './transitions.js'

it.each<[Status, Status, string]>([
  ['INITIATED', 'SUCCESS', 'From INITIATED, only PENDING is allowed.'],
  ['PENDING', 'PENDING', 'From PENDING, only SUCCESS or FAILED is allowed.'],
  ['SUCCESS', 'PENDING', 'SUCCESS is final.'],
])('names both statuses of a transition from %s to %s, and what is allowed', (from, to, hint) => {
  const { kind, detail } = rejectionOf(400, { status: from, version: 1 }, to)
  expect(kind.type).toBe('transition-not-allowed')
  expect(detail).toBe(`Transition from ${from} to ${to} is not allowed. ${hint}`)
})

it('names the current version if If-Match does not match', () => {
  const { kind, detail } = rejectionOf(412, { status: 'PENDING', version: 2 }, 'SUCCESS')
  expect([kind.type, detail]).toEqual(['version-changed', 'The payment is at version 2.'])
})
