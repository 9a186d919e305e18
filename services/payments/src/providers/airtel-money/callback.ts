import { createHmac, timingSafeEqual } from 'node:crypto'
import { parseObject, textAt, textOfBody } from '../json-answer.js'
import type { CallbackReading } from '../reading.js'
import { readTransactionStatus } from './answers.js'
import { membersOf } from './json-members.js'

/**
 * A callback of Airtel Money: `{"transaction": {…}, "hash": "…"}`. With callback authentication, `hash` is
 * Base64(HMAC-SHA256(the text of `transaction` as sent, private key of the application)).
 *
 * @param keys of the application; two during a rotation
 */
export function readCallback(body: Uint8Array, keys: readonly string[]): CallbackReading {
  const text = textOfBody(body)
  const members = text === undefined || !parseObject(text) ? undefined : membersOf(text)
  if (!members) return UNREADABLE
  const transactions = members.filter(({ name }) => name === 'transaction')
  const hashes = members.filter(({ name }) => name === 'hash')
  const [transaction] = transactions
  // Parsers disagree on which of two members with one name counts, so that one of them may be forged.
  if (transactions.length > 1 || hashes.length > 1) return { ...UNREADABLE, verdict: 'invalid' }
  if (!transaction) return UNREADABLE
  return {
    ...readTransaction(transaction.raw),
    verdict: verdictOf(transaction.raw, hashes[0]?.raw, keys),
  }
}

const UNREADABLE: CallbackReading = {
  verdict: 'unsigned',
  reading: { kind: 'no_news', flags: ['unknown_shape'] },
}

function verdictOf(signed: string, hash: string | undefined, keys: readonly string[]) {
  if (hash === undefined || keys.length === 0) return 'unsigned'
  const given = parseObject(`{"hash":${hash}}`)?.hash
  if (typeof given !== 'string') return 'invalid'
  return keys.some((key) => isHashOf(signed, key, given)) ? 'signed' : 'invalid'
}

function isHashOf(signed: string, key: string, given: string): boolean {
  const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('base64'))
  const bytes = Buffer.from(given)
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}

/** Reads the raw text of `transaction`, and nothing else of the body. */
function readTransaction(raw: string): Omit<CallbackReading, 'verdict'> {
  const transaction = parseObject(raw)
  const word = textAt(transaction, 'status_code')
  if (word === undefined)
    return { reading: UNREADABLE.reading, reference: textAt(transaction, 'id') }
  const transactionId = textAt(transaction, 'airtel_money_id')
  return {
    reference: textAt(transaction, 'id'),
    reading: readTransactionStatus(word, transactionId, undefined),
  }
}
