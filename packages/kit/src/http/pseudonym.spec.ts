import { describe, expect, it } from 'vitest'
import { normaliseEmail, normalisePhone } from './contact.js'
import { mentions, pseudonymOfEmail, pseudonymOfPhone, redact } from './pseudonym.js'

const KEY = Buffer.alloc(32, 'a key')
const PHONE = '+256772123456'
const EMAIL = 'amina+shop@example.com'
const PERSON = { phones: [PHONE], emails: [EMAIL] }

/** The rules of the columns with phones and emails. */
const PHONE_CHECK = /^[+][1-9][0-9]{5,14}$/

describe('a pseudonym', () => {
  it('is the same for the same value and key, and else another', () => {
    const other = Buffer.alloc(32, 'another key')
    for (const of of [pseudonymOfPhone, pseudonymOfEmail]) {
      expect(of(KEY, PHONE)).toBe(of(KEY, PHONE))
      expect(of(KEY, PHONE)).not.toBe(of(KEY, '+256772123457'))
      expect(of(KEY, PHONE)).not.toBe(of(other, PHONE))
    }
  })

  it('is its own pseudonym', () => {
    const [phone, email] = [pseudonymOfPhone(KEY, PHONE), pseudonymOfEmail(KEY, EMAIL)]
    expect(pseudonymOfPhone(KEY, phone)).toBe(phone)
    expect(pseudonymOfEmail(KEY, email)).toBe(email)
  })

  it('of a phone has the form of E.164, and is no number that a request may contain', () => {
    const numbers = Array.from({ length: 500 }, (_, n) => pseudonymOfPhone(KEY, `+25677${n}`))
    expect(numbers.filter((number) => !PHONE_CHECK.test(number))).toEqual([])
    expect(numbers.filter((number) => normalisePhone(number) !== undefined)).toEqual([])
    expect(new Set(numbers).size).toBe(500)
  })

  it('of an email is an address in normal form that no server has', () => {
    const email = pseudonymOfEmail(KEY, EMAIL)
    expect(normaliseEmail(email)).toBe(email)
    expect(email).toMatch(/@erased\.invalid$/)
  })
})

describe('redact', () => {
  const phone = pseudonymOfPhone(KEY, PHONE)
  const digits = phone.slice(1)
  const email = pseudonymOfEmail(KEY, EMAIL)

  it.each([
    ['called +256772123456.', `called ${phone}.`],
    ['256772123456', digits],
    ['00256772123456', digits],
    ['0772123456', digits],
    ['772123456,', `${digits},`],
    ['2560772123456', digits],
    ['{"msisdn":256772123456}', `{"msisdn":${digits}}`],
    [String.raw`\u002b256772123456`, String.raw`\u002b${digits}`],
    ['?to=%2B256772123456', `?to=%2B${digits}`],
    ['<Amina+Shop@Example.com>', `<${email}>`],
    ['amina+shop%40example.com', email],
    [String.raw`amina+shop\u0040example.com`, email],
    ['amina+shop@example.com.', `${email}.`],
    ['0772123456 and 0772123456', `${digits} and ${digits}`],
  ])('replaces %s', (text, expected) => {
    expect(redact(KEY, text, PERSON)).toBe(expected)
    expect(mentions(text, PERSON)).toBe(true)
  })

  it.each([
    '',
    '1772123456',
    '7721234567',
    'MP240101.1200.A1',
    '+254772123456',
    'not.amina+shop@example.com',
    'amina+shop@example.com.ug',
    'amina-shop@example.com',
  ])('does not change %j', (text) => {
    expect(redact(KEY, text, PERSON)).toBe(text)
    expect(mentions(text, PERSON)).toBe(false)
  })

  it('searches a short number only with its country code', () => {
    const niue = { phones: ['+6834000'], emails: [] }
    expect(mentions('order 4000', niue)).toBe(false)
    expect(mentions('call 6834000', niue)).toBe(true)
  })
})
