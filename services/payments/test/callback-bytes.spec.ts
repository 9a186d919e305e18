import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  AIRTEL_URL,
  attemptUrl,
  type CallbackStage,
  sendBytes,
  startCallbacks,
  statusOfLength,
  unsignedCallback,
} from './callback-stage.js'

/** Whatever a provider sends is stored as it was sent. */

let stage: CallbackStage
beforeAll(async () => void (stage = await startCallbacks()))
afterAll(() => stage.close())

const LIMIT_BYTES = 65_536

const name = fc.stringMatching(/^x-[a-z\d-]{1,20}$/)
const value = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,40}$/).map((text) => text.trim())
const headers = fc
  .tuple(
    fc.dictionary(name, value),
    fc.record(
      {
        'content-type': fc.oneof(value, fc.constantFrom('application/json', 'text/xml; charset=x')),
        'content-encoding': fc.oneof(value, fc.constantFrom('gzip', 'br, deflate', 'identity')),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([others, common]) => ({ ...others, ...common }))
const text = (strings: fc.Arbitrary<string>) => strings.map((string) => Buffer.from(string))
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }),
  text(fc.json({ maxDepth: 8 })),
  text(fc.string({ unit: 'binary' })),
  text(fc.constantFrom('', '{', '\0', '{"__proto__":{"a":1}}', '['.repeat(30_000), '"\\ud800"')),
  fc.json().map((json) => gzipSync(json)),
)

it('R3: at the URL of an attempt', async () => {
  const isStored = fc.asyncProperty(bytes, headers, async (body, given) => {
    const { id } = await stage.addAttempt('mtn-ug')
    expect(await sendBytes(stage, attemptUrl('mtn-ug', id), body, given)).toBe(200)
    const [stored] = await stage.messages(id)
    expect(stored?.bytes).toEqual(Buffer.from(body))
    expect(stored?.headers).toMatchObject(given)
  })
  await fc.assert(isStored, { numRuns: 150 })
}, 120_000)

it('at the URL of an account if it names an open attempt; anything else is 404', async () => {
  const isRejected = fc.asyncProperty(bytes, headers, async (body, given) => {
    expect(await sendBytes(stage, AIRTEL_URL, body, given)).toBe(404)
  })
  await fc.assert(isRejected, { numRuns: 200 })
  const ofAirtel = async () =>
    (await stage.messages()).filter(({ account }) => account === 'airtel-ug')
  expect(await ofAirtel()).toEqual([])
  const { reference } = await stage.addAttempt('airtel-ug')
  const body = Buffer.from(unsignedCallback(reference))
  expect(await sendBytes(stage, AIRTEL_URL, body, { 'content-encoding': 'gzip' })).toBe(200)
  expect((await ofAirtel()).map((message) => message.bytes)).toEqual([body])
}, 120_000)

it('up to the limit, and one byte more is 413 and stored nowhere', async () => {
  const most = Buffer.alloc(LIMIT_BYTES, 7)
  expect(await sendBytes(stage, attemptUrl('mtn-ug'), most)).toBe(200)
  for (const path of [attemptUrl('mtn-ug'), AIRTEL_URL]) {
    expect(await statusOfLength(stage, path, LIMIT_BYTES + 1)).toBe(413)
  }
  const largest = (await stage.messages()).filter(({ bytes: { length } }) => length > 60_000)
  expect(largest.map((message) => message.bytes)).toEqual([most])
})
