import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { freePort } from '@malipo/local/free-port'
import { describe, expect, it } from 'vitest'
import { startFullBacklog } from './provider-client/full-backlog.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'
import { CHARGE, testAdapter } from './provider-client/test-adapter.js'
import { always, phaseOf, startClient } from './provider-client/test-client.js'

/** How far a request came, against servers that fail at each point of it. */

const SHORT = testAdapter({ timeoutSeconds: 1 })
const HEAD = 'HTTP/1.1 202 Accepted\r\n'

describe('a request that is refused before its first byte', () => {
  it('is `connecting` if the port is closed, and mayBegin is not called', async () => {
    const { send, lines } = startClient({
      account: { baseUrl: `http://127.0.0.1:${await freePort()}` },
    })
    let begun = 0
    const outcome = await send(() => ++begun > 0)
    expect(outcome).toEqual({
      kind: 'read',
      reading: { kind: 'not_sent', failure: 'provider_unavailable', retry: true },
      result: { phase: 'connecting' },
    })
    expect(begun).toBe(0)
    expect(lines).toMatchObject([{ msg: 'the provider is unavailable', account: 'test' }])
  })

  it('is `connecting` if the name does not resolve', async () => {
    const { send } = startClient({ account: { baseUrl: 'http://provider.invalid' } })
    expect(phaseOf(await send())).toBe('connecting')
  })

  it('is `connecting` if the connection is not accepted in time', async () => {
    const { send } = startClient({
      account: { baseUrl: `http://127.0.0.1:${await startFullBacklog()}` },
      adapter: SHORT,
    })
    expect(phaseOf(await send())).toBe('connecting')
  })

  it('is `connecting` if the server does not answer the TLS handshake in time', async () => {
    const server = await startRawServer({})
    const { send } = startClient({
      account: { baseUrl: `https://127.0.0.1:${server.port}` },
      adapter: SHORT,
    })
    expect(phaseOf(await send())).toBe('connecting')
    expect(server.connections).toBe(1)
  })

  it('is `connecting` after 5 s without a connection, long before the timeout of the call', async () => {
    const server = await startRawServer({})
    const { send } = startClient({
      account: { baseUrl: `https://127.0.0.1:${server.port}` },
      adapter: testAdapter({ timeoutSeconds: 25 }),
    })
    const begin = performance.now()
    expect(phaseOf(await send())).toBe('connecting')
    expect(performance.now() - begin).toBeGreaterThan(4_000)
    expect(performance.now() - begin).toBeLessThan(9_500)
  })
})

type Answer = (socket: Socket) => void

const reset: Answer = (socket) => void socket.resetAndDestroy()
const writing =
  (...parts: readonly (string | Uint8Array)[]): Answer =>
  (socket) => {
    for (const part of parts) socket.write(part)
  }
/** Writes, then closes the connection as usual (FIN), or with a reset. */
const closing =
  (text: string): Answer =>
  (socket) =>
    void socket.end(text)
const resetting =
  (text: string): Answer =>
  (socket) => {
    socket.write(text)
    setTimeout(() => socket.resetAndDestroy(), 50)
  }
const slowly =
  (text: string): Answer =>
  (socket) => {
    for (const [index, byte] of Array.from(text).entries()) {
      setTimeout(() => socket.writable && socket.write(byte), 100 * index)
    }
  }

const big = (bytes: number) => httpAnswer(202, 'x'.repeat(bytes))
const chunked = `${HEAD}transfer-encoding: chunked\r\n\r\n`

describe('a request that was written', () => {
  const incomplete: readonly (readonly [title: string, answer: Answer])[] = [
    ['the connection is reset', reset],
    ['the connection is closed', (socket) => void socket.end()],
    ['there is no answer', () => undefined],
    ['the head is slow', slowly(httpAnswer(202))],
    ['the head is truncated', closing('HTTP/1.1 202 Acc')],
    ['the body is slow', slowly(`${HEAD}content-length: 100\r\n\r\n${'x'.repeat(100)}`)],
    ['the body is missing', writing(`${HEAD}content-length: 5\r\n\r\n`)],
    ['the body is truncated', closing(`${HEAD}content-length: 5\r\n\r\n{}`)],
    ['the body is truncated by a reset', resetting(`${HEAD}content-length: 5\r\n\r\n{}`)],
    ['a body without a length is cut by a reset', resetting(`${HEAD}connection: close\r\n\r\n{}`)],
    ['the chunks are garbage', writing(`${chunked}zz\r\n{}\r\n0\r\n\r\n`)],
    ['the last chunk is missing', closing(`${chunked}2\r\n{}\r\n`)],
    ['it is not HTTP', writing('SSH-2.0-OpenSSH_9.6\r\n')],
    ['it is HTTP/2', writing('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['two lengths differ', writing(`${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\n{}`)],
    ['there are only interim answers', closing('HTTP/1.1 103 Early Hints\r\n\r\n')],
    ['the server continues without an answer', writing('HTTP/1.1 100 Continue\r\n\r\n')],
    ['the protocol changes', writing('HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n')],
    ['the head is larger than 16 kB', writing(httpAnswer(202, '', [`x: ${'x'.repeat(17_000)}`]))],
    ['the body is larger than 64 kB', writing(big(65_537))],
    [
      'a chunked body is larger than 64 kB',
      (socket) => writing(`${chunked}11170\r\n`, 'x'.repeat(70_000))(socket),
    ],
    [
      'the body is compressed',
      (socket) => {
        const body = gzipSync('{"code":"UNKNOWN"}')
        const head = `HTTP/1.1 404 Not Found\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}`
        writing(`${head}\r\n\r\n`, body)(socket)
      },
    ],
  ]
  it.each(incomplete)('is `sent` if %s', async (_title, answer) => {
    const server = await startRawServer({ onRequest: ({ socket }) => answer(socket) })
    const { client, lines } = startClient({ account: { baseUrl: server.url }, adapter: SHORT })
    let begun = 0
    const outcome = await client.send(CHARGE, () => ++begun > 0)
    expect(outcome).toEqual({
      kind: 'read',
      reading: { kind: 'may_have_happened' },
      result: { phase: 'sent' },
    })
    expect(begun).toBe(1)
    // Nothing is repeated, on this connection or another one.
    await sleep(100)
    expect(server.requests).toHaveLength(1)
    expect(lines).toMatchObject([{ msg: 'the provider is unavailable', phase: 'sent' }])
    const query = await client.query(CHARGE, always)
    expect(query).toEqual({ kind: 'read', reading: { kind: 'no_news' }, result: { phase: 'sent' } })
  })

  const complete: readonly (readonly [title: string, answer: Answer, body: string])[] = [
    ['a length', writing(httpAnswer(202, '{}')), '{}'],
    ['chunks', writing(`${chunked}1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`), '{}'],
    ['no body', writing(httpAnswer(202)), ''],
    ['64 kB', writing(big(65_536)), 'x'.repeat(65_536)],
    ['the end of the connection', closing(`${HEAD}connection: close\r\n\r\n{}`), '{}'],
    [
      'an interim answer before it',
      writing(`HTTP/1.1 103 Hints\r\n\r\n${httpAnswer(202, '{}')}`),
      '{}',
    ],
    ['the coding `identity`', writing(httpAnswer(202, '{}', ['content-encoding: identity'])), '{}'],
    [
      'a body in two parts',
      (socket) => {
        socket.write(`${HEAD}content-length: 2\r\n\r\n{`)
        setTimeout(() => socket.write('}'), 50)
      },
      '{}',
    ],
  ]
  it.each(complete)('is answered with %s', async (_title, answer, body) => {
    const server = await startRawServer({ onRequest: ({ socket }) => answer(socket) })
    const { send } = startClient({ account: { baseUrl: server.url } })
    const outcome = await send()
    expect(outcome).toMatchObject({ reading: { kind: 'pending' }, result: { phase: 'answered' } })
    const { result } = outcome as { result: { body?: Uint8Array } }
    expect(Buffer.from(result.body ?? []).toString()).toBe(body)
  })

  it('is not redirected', async () => {
    const other = await startRawServer({})
    const headers = [`location: ${other.url}/charges`]
    const { url } = await startRawServer({
      onRequest: ({ socket }) => socket.write(httpAnswer(307, '', headers)),
    })
    const { send } = startClient({ account: { baseUrl: url } })
    expect(await send()).toMatchObject({ reading: { providerCode: '307' } })
    expect(other.connections).toBe(0)
  })
})
