import fc from 'fast-check'
import { expect, it } from 'vitest'
import { toNfc } from './nfc.js'

it('composes characters', () => {
  expect(toNfc('nin\u0303o', 4)).toBe('niño')
})

it('is the normal form of every text that may have the length', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const decomposed = text.normalize('NFD')
      const nfc = text.normalize('NFC')
      expect(toNfc(decomposed, nfc.length)).toBe(nfc)
    }),
  )
})

it('leaves a longer text unchanged, in constant time', () => {
  const text = `a${'\u0301\u0323'.repeat(25_000)}`
  const startedAt = performance.now()
  expect(toNfc(text, 72)).toBe(text)
  expect(performance.now() - startedAt).toBeLessThan(20)
})
