import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCallback } from './callback.js'
import { membersOf } from './json-members.js'

const KEY = 'zITVAAGYSlzl1WkUQJn81kbpT5drH3koffT8jCkcJJA='
const TRANSACTION =
  '{"id":"ours","message":"Paid UGX 5,000 to Ö, Trans ID MP210603.1234.L06941.","status_code":"TS","airtel_money_id":"MP1"}'

const hashOf = (raw: string, key = KEY) => createHmac('sha256', key).update(raw).digest('base64')
const read = (body: string, keys: readonly string[] = [KEY]) =>
  readCallback(Buffer.from(body), keys)
const signed = (raw: string) => `{"transaction":${raw},"hash":"${hashOf(raw)}"}`

const succeeded = { kind: 'succeeded', transactionId: 'MP1' }

describe('a callback of Airtel', () => {
  it('is signed if the hash is that of the bytes of `transaction`', () => {
    expect(read(signed(TRANSACTION))).toEqual({
      verdict: 'signed',
      reference: 'ours',
      reading: succeeded,
    })
  })

  it('is signed with spaces, escapes and another order, because the bytes as sent are hashed', () => {
    const raw = '{ "status_code" : "TF",\n "airtel_money_id": "\\u004dP1", "n": 1.0, "id": "ours" }'
    const body = ` { "hash" : "${hashOf(raw)}" , "transaction" :${raw} , "more": [{"a":"}"}] } `
    expect(read(body)).toMatchObject({
      verdict: 'signed',
      reading: { kind: 'declined', failure: 'provider_error', transactionId: 'MP1' },
    })
  })

  it('is signed by either key during a rotation', () => {
    expect(read(signed(TRANSACTION), ['new', KEY]).verdict).toBe('signed')
    expect(read(signed(TRANSACTION), ['new', 'other']).verdict).toBe('invalid')
  })

  it('is unsigned without a hash, or without a key of the account', () => {
    expect(read(`{"transaction":${TRANSACTION}}`)).toMatchObject({
      verdict: 'unsigned',
      reference: 'ours',
    })
    expect(read(signed(TRANSACTION), []).verdict).toBe('unsigned')
  })

  it('is invalid with the hash of another transaction, or one that is no string', () => {
    const other = TRANSACTION.replace('TS', 'TF')
    expect(read(`{"transaction":${other},"hash":"${hashOf(TRANSACTION)}"}`).verdict).toBe('invalid')
    for (const hash of ['""', 'null', '1', '{}', '["a"]', '"é"']) {
      expect(read(`{"transaction":${TRANSACTION},"hash":${hash}}`).verdict).toBe('invalid')
    }
  })

  it.each([
    [
      'a forged one after the signed one',
      (a: string, b: string) => `"transaction":${a},"transaction":${b}`,
    ],
    [
      'a forged one before the signed one',
      (a: string, b: string) => `"transaction":${b},"transaction":${a}`,
    ],
    [
      'one with an escaped name',
      (a: string, b: string) => `"transaction":${a},"tr\\u0061nsaction":${b}`,
    ],
  ])('is invalid with two transactions: %s', (_title, members) => {
    const forged = TRANSACTION.replace('ours', 'other')
    const callback = read(`{${members(TRANSACTION, forged)},"hash":"${hashOf(TRANSACTION)}"}`)
    expect(callback).toEqual({
      verdict: 'invalid',
      reading: { kind: 'no_news', flags: ['unknown_shape'] },
    })
  })

  it('is invalid with two hashes', () => {
    const body = `{"transaction":${TRANSACTION},"hash":"x","hash":"${hashOf(TRANSACTION)}"}`
    expect(read(body).verdict).toBe('invalid')
  })

  it('reads nothing outside of the transaction, or within a string', () => {
    const body = `{"id":"other","status_code":"TF","a":"\\"transaction\\":{}","transaction":${TRANSACTION}}`
    expect(read(body)).toMatchObject({ reference: 'ours', reading: succeeded })
    expect(read('{"a":{"transaction":{"id":"x","status_code":"TS"}}}').reading.kind).toBe('no_news')
  })

  it('R16: an unknown status word is pending and counted', () => {
    const raw = TRANSACTION.replace('TS', 'TX')
    expect(read(signed(raw))).toMatchObject({
      verdict: 'signed',
      reading: { kind: 'pending', flags: ['unknown_status'] },
    })
  })

  it.each([
    '',
    '[]',
    'null',
    '{"transaction":',
    '{"transaction":[]}',
    '<html>',
    '{"transaction":"TS"}',
  ])('R3: %j has an unknown shape and is not signed', (body) => {
    expect(read(body)).toMatchObject({
      verdict: 'unsigned',
      reading: { kind: 'no_news', flags: ['unknown_shape'] },
    })
  })
})

describe('the members of an object', () => {
  const spaces = fc.constantFrom('', ' ', '\n\t', '\r\n  ')

  it('are those that JSON.parse reads, and their raw texts are JSON', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        spaces,
        (object, space) => {
          const entries = Object.entries(object)
          const members = entries.map(
            ([name, value]) =>
              `${space}${JSON.stringify(name)}${space}:${space}${JSON.stringify(value, undefined, space)}${space}`,
          )
          const read = membersOf(`${space}{${members.join(',') || space}}${space}`)
          expect(read?.map(({ name, raw }) => [name, JSON.parse(raw)])).toEqual(
            entries.map(([name, value]) => [name, JSON.parse(JSON.stringify(value))]),
          )
        },
      ),
    )
  })

  it('include repetitions, in order', () => {
    expect(membersOf('{"a":1,"\\u0061":[2,{"a":3}]}')).toEqual([
      { name: 'a', raw: '1' },
      { name: 'a', raw: '[2,{"a":3}]' },
    ])
  })
})
