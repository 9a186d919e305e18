import { describe, expect, it } from 'vitest'
import { parseKeys, KeyFileError } from './key-file.js'

const [FIRST, SECOND] = ['a'.repeat(32), 'b'.repeat(40)]

describe('a file of keys', () => {
  it.each([
    ['one key', FIRST, [FIRST]],
    ['one key and a line break', `${FIRST}\n`, [FIRST]],
    ['several keys in their order', `${FIRST}\n${SECOND}\n`, [FIRST, SECOND]],
    ['Windows line breaks and empty lines', `${FIRST}\r\n\r\n${SECOND}\r\n`, [FIRST, SECOND]],
  ])('has %s', (_, text, keys) => {
    expect(parseKeys(text).map(String)).toEqual(keys)
  })

  it.each([
    ['', 'has no key'],
    ['\n\n', 'has no key'],
    ['a'.repeat(31), 'must have keys of at least 32 bytes (key 1)'],
    [`${FIRST}\nshort\n`, 'must have keys of at least 32 bytes (key 2)'],
  ])('%j is rejected', (text, message) => {
    expect(() => parseKeys(text)).toThrow(new KeyFileError(message))
  })
})
