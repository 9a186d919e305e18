import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { sendRaw } from '@malipo/testing/raw-http'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  KEY,
  lengthOf,
  LIMIT_BYTES,
  type Stage,
  startShelves,
  TEMPLATE,
  WRONG_KEY,
} from './shelves.js'

let stage: Stage
beforeAll(async () => void (stage = await startShelves()))
afterAll(() => stage.close())
beforeEach(() => void (stage.received.length = 0))

describe('a raw body', () => {
  it.each([
    ['without a type', {}],
    ['of JSON', { 'content-type': 'application/json' }],
    ['of JSON in Latin-1', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['of a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['of XML', { 'content-type': 'text/xml' }],
    ['of an unknown type', { 'content-type': 'application/x-unknown' }],
    ['of a type that is none', { 'content-type': '; ,' }],
    ['with an empty type', { 'content-type': '' }],
    ['with a coding', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
    ['with an unknown coding', { 'content-encoding': 'x-unknown, br' }],
  ])('%s is passed as bytes, with the headers as received', async (_, own) => {
    const bytes = gzipSync('{"constructor": 1')
    const headers = { ...own, ...lengthOf(bytes) }
    expect((await stage.send(bytes, { headers })).status).toBe(200)
    expect(stage.received[0]?.body).toEqual(bytes)
    expect(stage.received[0]?.request.headers).toMatchObject(headers)
    expect(stage.received[0]?.request.body).toBeUndefined()
  })

  it('may be empty or missing, and may be in chunks', async () => {
    const statuses = [
      await stage.send(),
      await stage.send(undefined, { headers: { 'content-length': '0' } }),
      await stage.send(Buffer.from('abc'), { headers: { 'transfer-encoding': 'chunked' } }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 200])
    expect(stage.received.map(({ body }) => body.toString())).toEqual(['', '', 'abc'])
  })

  it('is passed unchanged, whatever its bytes, headers and query', async () => {
    const name = fc.stringMatching(/^x-[a-z\d-]{1,20}$/)
    const value = fc.stringMatching(/^[\x20-\x7e]{0,40}$/).map((text) => text.trim())
    const common = fc.record({
      'content-type': fc.oneof(value, fc.constant('application/json')),
      'content-encoding': value,
    })
    const run = fc.asyncProperty(
      fc.uint8Array({ maxLength: 2_000 }),
      common,
      fc.dictionary(name, value),
      fc.webQueryParameters(),
      async (bytes, own, others, query) => {
        stage.received.length = 0
        const headers = { ...others, ...own, ...lengthOf(bytes) }
        const path = `/api/shelves/a/${KEY}?${query}`
        expect((await stage.send(bytes, { headers, path })).status).toBe(200)
        expect(stage.received[0]?.body).toEqual(Buffer.from(bytes))
        expect(stage.received[0]?.request.headers).toMatchObject(headers)
      },
    )
    await fc.assert(run, { numRuns: 200 })
  })

  it('of the limit is accepted, and one byte more is 413, before all of it is sent', async () => {
    const most = Buffer.alloc(LIMIT_BYTES, 'x')
    expect((await stage.send(most, { headers: lengthOf(most) })).status).toBe(200)
    expect(stage.received[0]?.body).toEqual(most)
    const head = `POST /api/shelves/a/${KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: ${LIMIT_BYTES + 1}\r\n`
    const announced = await sendRaw(stage.port, head)
    expect(announced.status).toBe(413)
    const detail = `The body is larger than ${LIMIT_BYTES} bytes.`
    expect(JSON.parse(announced.body)).toMatchObject({ status: 413, detail })
    const chunked = await stage.begin('Transfer-Encoding: chunked')
    chunked.write(`${(LIMIT_BYTES + 1).toString(16)}\r\n${'x'.repeat(LIMIT_BYTES + 1)}`)
    const [answer] = (await once(chunked, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 [^]*connection: close/i)
    chunked.destroy()
    expect(stage.received).toHaveLength(1)
  })

  it.each([
    ['Content-Length: 10', 'keep-alive'],
    [`Content-Length: ${LIMIT_BYTES + 1}`, 'close'],
    ['Transfer-Encoding: chunked', 'close'],
  ])('is not waited for if the guard rejects the request: %s', async (head, connection) => {
    const path = `/api/shelves/a/${WRONG_KEY}`
    const socket = await stage.begin(`${head}\r\nConnection: keep-alive`, '', path)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /)
    expect(answer.toString().toLowerCase()).toContain(`connection: ${connection}`)
    socket.destroy()
  })

  it('that ends early reaches no handler', async () => {
    const before = stage.lines.length
    const socket = await stage.begin('Content-Length: 10', 'abc')
    socket.destroy()
    const isLogged = () => stage.lines.slice(before).some((line) => line.includes('"status":499'))
    await vi.waitUntil(isLogged)
    expect((await stage.send(Buffer.from('next'))).status).toBe(200)
    expect(stage.received.map(({ body }) => body.toString())).toEqual(['next'])
  })

  it('that is not complete in time is answered with 408', async () => {
    const socket = await stage.begin('Content-Length: 10', 'abc')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /)
    expect(stage.received).toEqual([])
  })
})

describe('the secret part of a path', () => {
  const HOST = 'Host: x\r\n'
  const path = `/api/shelves/a/${KEY}`
  it.each([
    ['a wrong key', 404, `POST /api/shelves/a/${WRONG_KEY} HTTP/1.1\r\n${HOST}`],
    ['a segment more', 404, `POST ${path}/more HTTP/1.1\r\n${HOST}`],
    ['another method', 405, `GET ${path} HTTP/1.1\r\n${HOST}`],
    ['HEAD', 405, `HEAD ${path} HTTP/1.1\r\n${HOST}`],
    ['an unknown method', 405, `PROPFIND ${path} HTTP/1.1\r\n${HOST}`],
    ['too large a body', 413, `POST ${path} HTTP/1.1\r\n${HOST}Content-Length: 99999\r\n`],
    ['too long a segment', 414, `POST ${path}${'x'.repeat(100)} HTTP/1.1\r\n${HOST}`],
    ['an undecodable path', 400, `POST ${path}%zz HTTP/1.1\r\n${HOST}`],
    ['an absolute target', 405, `GET http://x.example${path} HTTP/1.1\r\n${HOST}`],
    ['no host', 400, `POST ${path} HTTP/1.1\r\n`],
    ['an expectation', 417, `POST ${path} HTTP/1.1\r\n${HOST}Expect: tea\r\n`],
    ['a header that is none', 400, `POST ${path} HTTP/1.1\r\n${HOST}no header\r\n`],
  ])('is neither in the response nor in the log: %s', async (_, status, request) => {
    const before = stage.lines.length
    const answer = await sendRaw(stage.port, request)
    expect(answer.status).toBe(status)
    const instance = /"instance":"([^"]*)"/.exec(answer.body)?.[1]
    // Node's parser rejects some requests, and HEAD has no body.
    expect([TEMPLATE, '/', undefined]).toContain(instance)
    await vi.waitUntil(() => stage.lines.length > before)
    const all = `${answer.body}${JSON.stringify(answer.headers)}${stage.lines.join('')}`
    for (const key of [KEY, WRONG_KEY]) expect(all).not.toContain(key)
  })

  it('does not hide other paths', async () => {
    const { text } = await stage.send(undefined, { path: '/api/shelves/none' })
    expect(JSON.parse(text)).toMatchObject({ instance: '/api/shelves/none' })
  })
})
