import { hash } from 'node:crypto'
import {
  type Identifiers,
  mentions,
  pseudonymHash,
  pseudonymOfEmail,
  pseudonymOfPhone,
  redact,
} from '@malipo/kit/http/pseudonym'

/** What replaces the personal data of a payer: pure functions. */

/** Whose data is erased, in normal forms. */
export interface Person {
  readonly phone: string | undefined
  readonly email: string | undefined
}

/** The current values of a payment. */
export interface Contact {
  readonly phone: string
  readonly email: string
}

export interface ContactOfPayment extends Contact {
  readonly id: string
}

/** The body of an erased message. A trigger accepts no other. */
export const ERASED_BODY = '{"erased":true}'

/** Headers of a message that stay: they contain no data of a payer. */
export const RETAINED_HEADERS = ['content-type', 'date', 'webhook-timestamp']

/** The first 16 hexadecimal digits of the SHA-256 of a key. */
export function keyIdOf(key: Buffer): string {
  return hash('sha256', key, 'hex').slice(0, 16)
}

export function erasedContact(key: Buffer, { phone, email }: Contact): Contact {
  return { phone: pseudonymOfPhone(key, phone), email: pseudonymOfEmail(key, email) }
}

/**
 * The phones and emails by which the payments of a person are found: those given, and their pseudonyms under all keys,
 * so that an interrupted run continues, and messages that were stored after an erasure are erased by the next one.
 */
export function searched(keys: readonly Buffer[], { phone, email }: Person): Identifiers {
  const of = (value: string | undefined, pseudonym: (key: Buffer, value: string) => string) =>
    value === undefined ? [] : [value, ...keys.map((key) => pseudonym(key, value))]
  return { phones: of(phone, pseudonymOfPhone), emails: of(email, pseudonymOfEmail) }
}

/** A person as it is recorded. */
export function pseudonymsOf(key: Buffer, { phone, email }: Person) {
  return {
    phone: phone === undefined ? null : pseudonymOfPhone(key, phone),
    email: email === undefined ? null : pseudonymOfEmail(key, email),
  }
}

/** The identifiers of a person and of payments, to be found in texts. */
export function identifiersOf(
  { phone, email }: Person,
  contacts: readonly Contact[] = [],
): Identifiers {
  const all = [...contacts, ...(phone === undefined ? [] : [{ phone }])]
  const emails = [...contacts, ...(email === undefined ? [] : [{ email }])]
  return {
    phones: [...new Set(all.map((contact) => contact.phone))],
    emails: [...new Set(emails.map((contact) => contact.email))],
  }
}

/**
 * The hash that replaces that of an erased body: from a plain hash, a phone could be guessed. It differs for each
 * message, because the same bytes may be received again after an erasure, and hashes are unique.
 */
export function erasedHash(key: Buffer, messageId: string, bodyHash: string): Buffer {
  return pseudonymHash(key, `body ${messageId} ${bodyHash}`)
}

/** A row with free text of operators, by the names of its columns. */
export type Texts = Readonly<Record<string, string | null>>

/** The texts without the person's phones and emails; undefined if nothing changes. */
export function redactTexts(
  key: Buffer,
  texts: Texts,
  identifiers: Identifiers,
): Texts | undefined {
  const entries = Object.entries(texts).map(
    ([name, text]) => [name, text === null ? null : redact(key, text, identifiers)] as const,
  )
  const isChanged = entries.some(([name, text]) => text !== texts[name])
  return isChanged ? Object.fromEntries(entries) : undefined
}

/** Whether a message that belongs to no payment is about the person. */
export function isAbout(
  message: { readonly body: Buffer; readonly headers: object },
  identifiers: Identifiers,
): boolean {
  const texts = [message.body.toString(), JSON.stringify(message.headers)]
  return texts.some((text) => mentions(text, identifiers))
}

/** The number of changed rows by table. */
export type Changes = Readonly<Record<string, number>>

export function sumOf(one: Changes, other: Changes): Changes {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(names.map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]))
}

export function totalOf(changes: Changes): number {
  return Object.values(changes).reduce((sum, count) => sum + count, 0)
}
