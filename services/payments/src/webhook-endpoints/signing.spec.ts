import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { publicKeyOf, signatureHeaders, SigningSecret, symmetricSecret } from './signing.js'

/** From the tests of the specification's libraries: github.com/standard-webhooks/standard-webhooks, libraries/go. */
const PUBLISHED = {
  eventId: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  at: new Date(1_614_265_330_000),
  body: '{"test": 2432232314}',
}
const SEED = Buffer.from('VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=', 'base64')
const V1A =
  'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=='
const SECRET = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
const V1 = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

const message = { ...PUBLISHED, at: new Date(), body: '{"type":"ping","data":{"é":"☎"}}' }

/** The public key of `whpk_…` (RFC 8410). */
function keyOf(whpk: string) {
  const raw = Buffer.from(whpk.slice('whpk_'.length), 'base64')
  const key = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw])
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

describe('a signature', () => {
  it('of v1 is that of the specification', () => {
    expect(new SigningSecret('v1', SECRET).sign(PUBLISHED)).toBe(V1)
  })

  it('of v1a is that of the specification', () => {
    expect(new SigningSecret('v1a', SEED).sign(PUBLISHED)).toBe(V1A)
  })

  it('of v1a is verified by the public key of the merchant', () => {
    const seed = randomBytes(32)
    const signature = new SigningSecret('v1a', seed).sign(message).slice('v1a,'.length)
    const seconds = Math.floor(message.at.getTime() / 1000)
    const isValid = (body: string, whpk = publicKeyOf(seed)) => {
      const content = Buffer.from(`${message.eventId}.${seconds}.${body}`)
      return verify(null, content, keyOf(whpk), Buffer.from(signature, 'base64'))
    }
    expect(isValid(message.body)).toBe(true)
    expect(isValid(`${message.body} `)).toBe(false)
    expect(isValid(message.body, publicKeyOf(randomBytes(32)))).toBe(false)
  })

  it('needs a seed of 32 bytes', () => {
    expect(() => new SigningSecret('v1a', randomBytes(31))).toThrow(/32 bytes/)
  })
})

describe('the headers of a notification', () => {
  it('have a signature of each secret, which each holder of one verifies', () => {
    const [first, second] = [randomBytes(32), randomBytes(32)]
    const secrets = [
      new SigningSecret('v1', second),
      new SigningSecret('v1', first),
      new SigningSecret('v1a', SEED),
    ]
    const headers = { ...signatureHeaders({ ...message, secrets }) }
    expect(headers['webhook-id']).toBe(message.eventId)
    expect(headers['webhook-timestamp']).toBe(String(Math.floor(message.at.getTime() / 1000)))
    expect(headers['webhook-signature'].split(' ').map((each) => each.split(',')[0])).toEqual([
      'v1',
      'v1',
      'v1a',
    ])
    for (const bytes of [first, second]) {
      const webhook = new Webhook(symmetricSecret(bytes))
      expect(webhook.verify(message.body, headers)).toEqual(JSON.parse(message.body))
      expect(() => webhook.verify(`${message.body} `, headers)).toThrow('No matching signature')
    }
    const other = new Webhook(symmetricSecret(randomBytes(32)))
    expect(() => other.verify(message.body, headers)).toThrow('No matching signature')
  })

  it('are not made without a secret', () => {
    expect(() => signatureHeaders({ ...message, secrets: [] })).toThrow(/without a signature/)
  })
})

it('a secret shows nothing of its key', () => {
  const bytes = randomBytes(32)
  for (const scheme of ['v1', 'v1a'] as const) {
    const secret = new SigningSecret(scheme, bytes)
    const shown = `${JSON.stringify(secret)} ${inspect(secret, { depth: 9, showHidden: true })}`
    expect(JSON.stringify(secret)).toBe(`{"scheme":"${scheme}"}`)
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      expect(shown).not.toContain(bytes.toString(form))
    }
  }
})
