import { Readable } from 'node:stream'
import { fastify } from 'fastify'
import { describe, expect, it } from 'vitest'
import { acceptJsonOnly } from './json-body.js'
import { Problem } from './problem.js'
import { BODY_LIMIT_BYTES } from './read-body.js'
import type { Request } from './request.js'

/** The body that a route receives: a value, or the problem that `InputPipe` throws. */
async function bodyOf(
  payload: string | Buffer | Readable,
  contentType = 'application/json',
  others: Record<string, string> = {},
) {
  const app = fastify()
  acceptJsonOnly(app)
  let got: unknown
  let raw: Buffer | undefined
  app.post('/', (request: Request) => {
    got = request.body
    raw = request.rawBody
    return {}
  })
  const headers = { 'content-type': contentType, ...others }
  const { statusCode } = await app.inject({ method: 'POST', url: '/', headers, payload })
  await app.close()
  return { statusCode, got, raw }
}

describe('acceptJsonOnly', () => {
  it.each([
    ['{"a":[1,null,"é😀"]}', { a: [1, null, 'é😀'] }],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\\\u0000"', '\\u0000'],
    ['"\\u0001"', '\u0001'],
    ['{"a\\u0000":"\\u0000"}', { 'a\0': '\0' }],
    ['"\\ud83d"', '\ud83d'],
    ['{"a":1.50,"b":5e3}', { a: 1.5, b: 5000 }],
    ['\ufeff{"a":5e3}', { a: 5000 }],
  ])('parses %j to %j and keeps its bytes', async (text, value) => {
    const { statusCode, got, raw } = await bodyOf(text)
    expect([statusCode, got]).toEqual([200, value])
    expect(raw?.toString()).toBe(text)
  })

  it.each([
    ['an empty body', ''],
    ['a truncated body', '{"a":'],
    ['a NUL character that is not escaped', '{"a":"x\u0000"}'],
    ['__proto__', '{"__proto__":{}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{}}}'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['nine levels', '[[[[[[[[[]]]]]]]]]'],
    ['201 elements', `[${'0,'.repeat(200)}0]`],
    ['201 fields of one name', `{${'"a":0,'.repeat(200)}"a":0}`],
  ])('turns %s into a problem', async (_, payload) => {
    const { got } = await bodyOf(payload)
    expect(got).toBeInstanceOf(Problem)
    expect((got as Problem).kind.status).toBe(400)
  })

  it('keeps the digits of a number that a double would round', async () => {
    const text = '{"a":4999.99999999999999999,"b":[12345678901234567890,1e400],"c":5000}'
    const { got } = await bodyOf(text)
    expect(JSON.stringify(got)).toBe(text)
    expect((got as { c: unknown }).c).toBe(5000)
  })

  it('rejects a body over the limit', async () => {
    expect((await bodyOf(`"${'x'.repeat(BODY_LIMIT_BYTES - 2)}"`)).statusCode).toBe(200)
    expect((await bodyOf(`"${'x'.repeat(BODY_LIMIT_BYTES - 1)}"`)).statusCode).toBe(413)
  })

  it('rejects a body in too many chunks', async () => {
    const { statusCode, raw } = await bodyOf(Readable.from(Array<string>(1_000).fill(' ')))
    // Without the problem filter, Fastify responds with 500 to a `Problem`.
    expect([statusCode, raw]).toEqual([500, undefined])
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'rejects %s',
    async (type) => expect((await bodyOf('{}', type)).statusCode).toBe(415),
  )

  it.each(['gzip', 'br', 'deflate, identity', 'GZIP', 'x'])(
    'rejects the encoding %s',
    async (coding) => {
      const encoded = { 'content-encoding': coding }
      const { statusCode, raw } = await bodyOf('{}', 'application/json', encoded)
      // Without the problem filter, Fastify responds with 500 to a `Problem`.
      expect([statusCode, raw]).toEqual([500, undefined])
    },
  )

  it.each(['', 'identity', 'Identity', 'identity, identity'])(
    'accepts the encoding %j',
    async (coding) => {
      const encoded = { 'content-encoding': coding }
      expect((await bodyOf('{}', 'application/json', encoded)).statusCode).toBe(200)
    },
  )

  it('accepts a charset', async () => {
    expect((await bodyOf('{}', 'application/json; charset=utf-8')).statusCode).toBe(200)
  })
})
