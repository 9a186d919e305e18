import { hash, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { deviceTokenHash, deviceTokenOf, parseDeviceToken } from './device-token.js'

const SID = '019b76da-a800-7000-8000-0242ac120002'
const newSessionPart = () => randomBytes(32).toString('base64url')

it('is parsed into the id of its session and the hash of its secret', () => {
  const part = newSessionPart()
  const token = deviceTokenOf(SID, part)
  expect(token).toMatch(/^[\w-]{64}$/)
  expect(parseDeviceToken(token)).toEqual({ sid: SID, secretHash: deviceTokenHash(part) })
})

it('differs for each session', () => {
  const tokens = [newSessionPart(), newSessionPart()].map((part) => deviceTokenOf(SID, part))
  expect(tokens[0]).not.toBe(tokens[1])
})

it('cannot be computed from the hashes that the database stores', () => {
  const part = newSessionPart()
  const stored = [hash('sha256', part, 'buffer'), deviceTokenHash(part)]
  const token = deviceTokenOf(SID, part)
  const secret = Buffer.from(token, 'base64url').subarray(16)
  for (const known of stored) {
    expect(known).not.toEqual(secret)
    expect(deviceTokenOf(SID, known.toString('base64url'))).not.toBe(token)
  }
})

it.each(['', 'short', 'a'.repeat(63), 'a'.repeat(65), `${'a'.repeat(63)}!`])(
  'is malformed if it is %j',
  (text) => expect(parseDeviceToken(text)).toBeUndefined(),
)
