import fc from 'fast-check'

/** Generated input for phone numbers and email addresses, much of it valid. */

const digits = fc.string({
  unit: fc.constantFrom(...Array.from('0123456789')),
  minLength: 1,
  maxLength: 15,
})

export const phoneInput = fc.oneof(
  fc
    .tuple(fc.constantFrom('+', '00', '0', '', ' ', '\u202A+', '(+'), digits)
    .map(([prefix, number]) => prefix + number),
  fc
    .tuple(fc.integer({ min: 1, max: 999 }), digits)
    .map(([country, number]) => `+${country}${number}`),
  fc.string({ unit: 'binary' }),
  fc.anything(),
)

const local = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 70 }),
)

export const emailInput = fc.oneof(
  fc.emailAddress(),
  fc
    .tuple(
      fc.constantFrom('', '"', ' '),
      local,
      fc.constantFrom('example.com', 'ПРИМЕР.рф', '\u0130.com'),
    )
    .map(([quote, name, domain]) => `${quote}${name}${quote}@${domain}`),
  fc.tuple(local, local).map(([name, domain]) => `${name}@${domain}.example`),
  fc.anything(),
)

/**
 * An address for each code point in its local part, and one for each in its domain. Above the Basic Multilingual
 * Plane, these are format characters and every 16th other one, since a million of them take half a minute.
 */
export function emailsOfAllCodePoints(): string[] {
  const emails = []
  for (let code = 0; code <= 0x10_ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue
    const character = String.fromCodePoint(code)
    if (code > 0xffff && code % 16 !== 0 && !/\p{Cf}/u.test(character)) continue
    emails.push(`a${character}b@example.com`, `a@b${character}c.example`)
  }
  return emails
}
