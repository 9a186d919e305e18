import { describe, expect, it } from 'vitest'
import {
  erasedContact,
  erasedHash,
  identifiersOf,
  isAbout,
  redactTexts,
  searched,
  sumOf,
  totalOf,
} from './erasure.js'

const KEY = Buffer.alloc(32, 'a key')
const OTHER = Buffer.alloc(32, 'another key')
const PHONE = '+256772123456'
const EMAIL = 'amina@example.com'
const PERSON = { phone: PHONE, email: EMAIL }

it('searches by the given values and their pseudonyms under all keys', () => {
  const { phones, emails } = searched([KEY, OTHER], PERSON)
  const pseudonyms = [KEY, OTHER].map((key) => erasedContact(key, PERSON))
  expect(phones).toEqual([PHONE, ...pseudonyms.map(({ phone }) => phone)])
  expect(emails).toEqual([EMAIL, ...pseudonyms.map(({ email }) => email)])
  expect(searched([KEY], { phone: PHONE, email: undefined }).emails).toEqual([])
})

it('finds also the other values of the person’s payments in texts', () => {
  const contact = { phone: '+256772000001', email: 'other@example.com' }
  expect(identifiersOf({ phone: PHONE, email: undefined }, [contact, contact])).toEqual({
    phones: [contact.phone, PHONE],
    emails: [contact.email],
  })
})

it('an erased contact is its own', () => {
  const erased = erasedContact(KEY, PERSON)
  expect(erasedContact(OTHER, erased)).toEqual(erased)
})

it('the hash of a body depends on the key and on the message', () => {
  const hashes = [
    erasedHash(KEY, 'one', 'ff'),
    erasedHash(OTHER, 'one', 'ff'),
    erasedHash(KEY, 'two', 'ff'),
    erasedHash(KEY, 'one', 'fe'),
  ]
  expect(hashes.map(({ length }) => length)).toEqual([32, 32, 32, 32])
  expect(new Set(hashes.map((hash) => hash.toString('hex'))).size).toBe(4)
})

describe('texts', () => {
  const identifiers = identifiersOf(PERSON)

  it('are unchanged if they do not name the person', () => {
    expect(redactTexts(KEY, { reason: 'ticket 4711', evidence: null }, identifiers)).toBeUndefined()
  })

  it('are changed together, once', () => {
    const redacted = redactTexts(KEY, { reason: `of ${EMAIL}`, evidence: null }, identifiers)
    expect(redacted).toEqual({ reason: `of ${erasedContact(KEY, PERSON).email}`, evidence: null })
    expect(redactTexts(KEY, redacted ?? {}, identifiers)).toBeUndefined()
  })
})

it.each([
  ['{"msisdn":"256772123456"}', {}, true],
  ['{}', { 'x-payer': EMAIL }, true],
  ['{"msisdn":"256772123457"}', { 'x-payer': 'x' }, false],
  ['\u00ff\u0000', {}, false],
])('a message %j with the headers %j is about the person: %s', (body, headers, expected) => {
  const message = { body: Buffer.from(body, 'latin1'), headers }
  expect(isAbout(message, identifiersOf(PERSON))).toBe(expected)
})

it('changes are summed by table', () => {
  const sum = sumOf({ payments: 1, payers: 2 }, { payments: 3, erasures: 0 })
  expect(sum).toEqual({ payments: 4, payers: 2, erasures: 0 })
  expect(totalOf(sum)).toBe(6)
})
