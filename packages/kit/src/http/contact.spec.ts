import 'reflect-metadata'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { IsContactEmail, IsPhone, normaliseEmail, normalisePhone } from './contact.js'
import type { CountryCode } from 'libphonenumber-js/min'
import { InputPipe } from './validation.js'

describe('normalisePhone', () => {
  it.each<[string, CountryCode, string | undefined]>([
    ['+256772123456', 'UG', '+256772123456'],
    [' +256 772-123 456 ', 'UG', '+256772123456'],
    ['+256 (0)772 123 456', 'UG', '+256772123456'],
    ['0772123456', 'UG', '+256772123456'],
    ['772123456', 'UG', '+256772123456'],
    ['077-212-3456', 'UG', '+256772123456'],
    ['0772123456', 'KE', '+254772123456'],
    ['000256772123456', 'KE', '+256772123456'],
    ['00256772123456', 'UG', '+256772123456'],
    ['00256772123456', 'KE', '+256772123456'],
    ['00 256 772-123 456', 'KE', '+256772123456'],
    ['00254712345678', 'UG', '+254712345678'],
    ['0044 7911 123456', 'UG', '+447911123456'],
    ['001 202 555 0172', 'UG', '+12025550172'],
    // Without the rule for 00, libphonenumber reads 005 as the prefix and 7 as the country code.
    ['0057 300 123 4567', 'UG', '+573001234567'],
    ['(00256) 772 123456', 'UG', '+256772123456'],
    ['(+256) 772 123456', 'UG', '+256772123456'],
    ['＋256772123456', 'UG', '+256772123456'],
    ['٠٠٢٥٦٧٧٢١٢٣٤٥٦', 'UG', '+256772123456'],
    ['００２５６７７２１２３４５６', 'UG', '+256772123456'],
    // The international prefix of Thailand.
    ['001256772123456', 'TH', '+256772123456'],
    ['00256', 'UG', undefined],
    ['0000256772123456', 'UG', undefined],
    ['00', 'UG', undefined],
    ['\u202A+256772123456\u202C', 'UG', '+256772123456'],
    ['\u202D0772 123456\u202C', 'UG', '+256772123456'],
    ['\u2066+256\u200E772123456\u2069', 'UG', '+256772123456'],
    ['\u200E\u202A00256772123456\u202C\uFEFF', 'UG', '+256772123456'],
    ['\u200B'.repeat(40) + '0772123456', 'UG', '+256772123456'],
    // A narrow no-break space, as French text uses it.
    ['+33\u202F6\u202F12\u202F34\u202F56\u202F78', 'UG', '+33612345678'],
    ['\u00A0+256\u00A0772\u2009123456', 'UG', '+256772123456'],
    ['\u202A\u202C', 'UG', undefined],
    ['٠٧٧٢١٢٣٤٥٦', 'UG', '+256772123456'],
    ['+1 202 555 0172', 'UG', '+12025550172'],
    ['+25677212345', 'UG', undefined],
    ['+2567721234567', 'UG', undefined],
    ['+999123456789', 'UG', undefined],
    ['112', 'UG', undefined],
    ['+256', 'UG', undefined],
    ['+', 'UG', undefined],
    ['', 'UG', undefined],
    ['amina', 'UG', undefined],
    ['call 0772123456', 'UG', undefined],
    ['+256772123456 ext 5', 'UG', undefined],
    // E.164 allows 15 digits, but not 16.
    ['+491234567890123', 'UG', '+491234567890123'],
    ['+4912345678901234', 'UG', undefined],
    [`+256772123456${' '.repeat(30)}`, 'UG', undefined],
  ])('%j in %s becomes %s', (input, region, normal) => {
    expect(normalisePhone(input, region)).toBe(normal)
    expect(normalisePhone(normal ?? '', region)).toBe(normal)
  })
})

it('ignores every format character of a phone number', () => {
  const formats = codePoints.filter((character) => /\p{Cf}/u.test(character))
  expect(formats.length).toBeGreaterThan(160)
  for (const format of formats) {
    expect(normalisePhone(`${format}+2567${format}72123456${format}`)).toBe('+256772123456')
  }
})

const codePoints = Array.from({ length: 0x11_0000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))

/** An address of any characters in its local part and domain, quoted or not. */
const anyEmail = fc
  .tuple(
    fc.constantFrom('', '"', ' '),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('.com', '.example', '', '.рф', '\u0130.COM'),
  )
  .map(([quote, local, domain, end]) => `${quote}${local}${quote}@${domain}${end}`)

const EMAIL_OF_254 = `${'a'.repeat(64)}@${'b'.repeat(62)}.${'c'.repeat(62)}.${'d'.repeat(59)}.com`

describe('normaliseEmail', () => {
  it.each([
    [' Amina@Example.COM ', 'amina@example.com'],
    ['\u00A0amina@example.com\u2003\n', 'amina@example.com'],
    ['amina+malipo@example.com', 'amina+malipo@example.com'],
    ['Ni\u006E\u0303o@example.com', 'niño@example.com'],
    ['АМИНА@пример.рф', 'амина@пример.рф'],
    // The lower case of İ is decomposed, and its dots are then in another order.
    ['\u0130\u0323@example.com', 'ị\u0307@example.com'],
    ['"quoted"@example.com', '"quoted"@example.com'],
    [EMAIL_OF_254, EMAIL_OF_254],
    [EMAIL_OF_254.replace('@', '@d'), undefined],
    ['"a b"@example.com', undefined],
    ['"a\tb"@example.com', undefined],
    ['a\u2003b@example.com', undefined],
    ['\uFEFFamina@example.com', undefined],
    ['amina@example.com\u200B', undefined],
    ['am\u00ADina@example.com', undefined],
    ['am\u3164ina@example.com', undefined],
    ['amina', undefined],
    ['amina@', undefined],
    ['', undefined],
  ])('%j becomes %j', (input, normal) => {
    expect(normaliseEmail(input)).toBe(normal)
  })

  it('rejects a long string without normalising it', () => {
    const startedAt = performance.now()
    expect(normaliseEmail(`${'a\u0301\u0323'.repeat(25_000)}@example.com`)).toBeUndefined()
    expect(performance.now() - startedAt).toBeLessThan(20)
  })

  it('accepts no white space, control or format character within an address', () => {
    const accepted = codePoints.filter(
      (character) =>
        /[\p{White_Space}\p{Cc}\p{Cf}]/u.test(character) &&
        [`a${character}b@example.com`, `"a${character}b"@example.com`, `a@exa${character}mple.com`]
          .map((address) => normaliseEmail(address))
          .some((normal) => normal !== undefined),
    )
    expect(accepted).toEqual([])
  })

  it('returns its own result unchanged', () => {
    fc.assert(
      fc.property(fc.oneof(anyEmail, fc.emailAddress()), (input) => {
        const normal = normaliseEmail(input)
        fc.pre(normal !== undefined)
        expect(normaliseEmail(normal)).toBe(normal)
        expect(normal).toBe(normal.normalize('NFC'))
      }),
    )
  })
})

class ContactDto {
  @IsPhone()
  phone: string

  @IsContactEmail()
  email: string
}

const validated = (body: object) =>
  new InputPipe().transform(body, { type: 'body', metatype: ContactDto })

describe('contact fields of a DTO', () => {
  it('are normalised', async () => {
    expect(await validated({ phone: '0772123456', email: 'A@Example.com' })).toEqual({
      phone: '+256772123456',
      email: 'a@example.com',
    })
  })

  it.each<[unknown, unknown, string[]]>([
    ['12', 'a@example.com', ['phone']],
    [256772123456, 'a@example.com', ['phone']],
    [null, 'a@example.com', ['phone']],
    [['+256772123456'], 'a@example.com', ['phone']],
    ['+256772123456', 'a@', ['email']],
    ['+256772123456', 'a b@example.com', ['email']],
    ['+256772123456', '"a b"@example.com', ['email']],
    ['+256772123456', ['a@example.com'], ['email']],
    ['+256772123456', `${'a'.repeat(250)}@example.com`, ['email']],
    ['+256772123456', { toString: 'a@example.com' }, ['email']],
    [undefined, undefined, ['phone', 'email']],
  ])('phone %j and email %j: %j are rejected', async (phone, email, wrong) => {
    await expect(validated({ phone, email })).rejects.toMatchObject({
      extras: { errors: wrong.map((field) => ({ field })) },
    })
  })
})
