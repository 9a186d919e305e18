import { isStorable } from '@malipo/kit/http/storable-text'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { answerText } from './answer-text.js'

it.each([
  ['', ''],
  ['ok', 'ok'],
  ['a\0b', 'a\uFFFDb'],
  ['\uFEFFok', 'ok'],
  ['x'.repeat(600), 'x'.repeat(512)],
  // The 512th character is the first half of a pair.
  [`${'x'.repeat(511)}\u{1F600}`, `${'x'.repeat(511)}\uFFFD`],
  [`${'x'.repeat(510)}\u{1F600}`, `${'x'.repeat(510)}\u{1F600}`],
])('the text of %j is %j', (body, text) => {
  expect(answerText(Buffer.from(body), undefined)).toBe(text)
})

it('is empty with a content coding', () => {
  expect(answerText(Buffer.from('abc'), 'gzip')).toBe('')
  expect(answerText(Buffer.from('abc'), ' Identity ')).toBe('abc')
})

it('of any bytes can be stored, and has at most 512 characters', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_096 }), (body) => {
      const text = answerText(body, undefined)
      expect(isStorable(text)).toBe(true)
      expect(text.length).toBeLessThanOrEqual(512)
    }),
  )
})
