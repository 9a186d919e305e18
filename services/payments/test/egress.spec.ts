import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@malipo/local/free-port'
import { startDnsServer } from '@malipo/testing/dns-server'
import { Agent, buildConnector, request } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TRY_MS } from '../src/egress/egress-client.js'
import { guardedConnector } from '../src/egress/guarded-connector.js'
import { resolveByDns } from '../src/egress/resolver.js'
import { SANDBOX, startEgress } from './egress/test-egress.js'
import { startFullBacklog } from './provider-client/full-backlog.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'

/** The client of notifications, against servers that fail at each point of a request. */

type Answer = (socket: Socket) => void

const startServer = (answer: Answer) =>
  startRawServer({ onRequest: ({ socket }) => answer(socket) })
const writing =
  (...parts: readonly (string | Uint8Array)[]): Answer =>
  (socket) => {
    for (const part of parts) socket.write(part)
  }
const HEAD = 'HTTP/1.1 200 OK\r\n'
const MEGABYTE = Buffer.alloc(1_000_000, 'x')

describe('an answer', () => {
  it('has a status, the seconds of Retry-After and the beginning of the body', async () => {
    const server = await startServer(
      writing(httpAnswer(503, `not\0now \u{1F600}${'é'.repeat(600)}`, ['retry-after: 120'])),
    )
    const result = await startEgress().post(`${server.url}/a?b=c`)
    expect(result).toEqual({
      kind: 'answered',
      status: 503,
      retryAfterSeconds: 120,
      answer: `not\uFFFDnow \u{1F600}${'é'.repeat(502)}`,
      tookMs: expect.any(Number),
    })
    const [text = ''] = server.requests
    expect(text).toMatch(/^POST \/a\?b=c HTTP\/1\.1\r\n/)
    expect(text.toLowerCase()).toContain('accept-encoding: identity')
    expect(text).toMatch(/\r\n\r\n\{"a":1\}$/)
  })

  it('is the redirect, which is not followed', async () => {
    const other = await startServer(writing(httpAnswer(200)))
    const locations = ['http://169.254.169.254/latest/meta-data/', other.url]
    for (const location of locations) {
      for (const status of [301, 302, 303, 307, 308]) {
        const answer = httpAnswer(status, '', [`location: ${location}`])
        const server = await startServer(writing(answer))
        expect(await startEgress().post(server.url)).toMatchObject({ kind: 'answered', status })
      }
    }
    expect(other.connections).toBe(0)
  })

  it('of 10 MB is not read in full, and its status counts', async () => {
    let written = 0
    const server = await startServer((socket) => {
      socket.write(`${HEAD}content-length: 10000000\r\n\r\n`)
      const send = () => {
        if (!socket.writable || written >= 10) return
        written++
        socket.write(MEGABYTE, send)
      }
      send()
    })
    const { post } = startEgress()
    expect(await post(server.url)).toMatchObject({ status: 200, answer: 'x'.repeat(512) })
    await sleep(200)
    expect(written).toBeLessThan(10)
    // The connection is closed, and not used again.
    await post(server.url)
    expect(server.connections).toBe(2)
  })

  it.each<[title: string, answer: Answer]>([
    ['is never complete', writing(`${HEAD}content-length: 5\r\n\r\nabc`)],
    [
      'has a reset connection',
      (socket) => {
        socket.write(`${HEAD}content-length: 5\r\n\r\nabc`)
        setTimeout(() => socket.resetAndDestroy(), 100)
      },
    ],
    [
      'has broken chunks',
      (socket) => {
        socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`)
        setTimeout(() => socket.write('zz\r\n'), 100)
      },
    ],
    [
      'is sent byte by byte',
      (socket) => {
        socket.write(`${HEAD}\r\n`)
        const timer = setInterval(() => socket.write('abc'), 100)
        socket.on('close', () => clearInterval(timer))
      },
    ],
  ])('whose body %s counts by its status, long before the limit', async (_title, answer) => {
    const server = await startServer(answer)
    const result = await startEgress().post(server.url)
    expect(result).toMatchObject({ kind: 'answered', status: 200 })
    expect(result).toHaveProperty('answer', expect.stringMatching(/^abc/))
    expect(result.tookMs).toBeLessThan(TRY_MS / 2)
  })

  it('with a content coding has no text', async () => {
    const server = await startServer(writing(httpAnswer(200, 'abc', ['content-encoding: br'])))
    expect(await startEgress().post(server.url)).toMatchObject({ status: 200, answer: '' })
  })

  it('follows interim answers', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'
    const server = await startServer(writing(early, early, httpAnswer(204)))
    expect(await startEgress().post(server.url)).toMatchObject({ status: 204, answer: '' })
  })
})

describe('a try without an answer', () => {
  const SHORT = { tryMs: 1_000 }

  it.each<[title: string, answer: Answer, error: string]>([
    ['a server that is silent', () => undefined, 'timeout'],
    ['a head that is never complete', writing('HTTP/1.1 200 OK\r\nx: '), 'timeout'],
    ['interim answers only', writing('HTTP/1.1 103 Early Hints\r\n\r\n'), 'timeout'],
    ['a reset', (socket) => void socket.resetAndDestroy(), 'reset'],
    ['a closed connection', (socket) => void socket.end(), 'reset'],
    ['a truncated head', (socket) => void socket.end('HTTP/1.1 200'), 'reset'],
    ['another protocol', writing('SSH-2.0-OpenSSH_9.6\r\n'), 'invalid_answer'],
    ['HTTP/2', writing('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'invalid_answer'],
    [
      'a head over 16 kB',
      writing(httpAnswer(200, '', [`x: ${'x'.repeat(17_000)}`])),
      'invalid_answer',
    ],
  ])('for %s, is sent once and has its reason', async (_title, answer, error) => {
    const server = await startServer(answer)
    const result = await startEgress(SHORT).post(server.url)
    expect(result).toEqual({ kind: 'failed', error, tookMs: expect.any(Number) })
    await sleep(100)
    // Nothing is repeated, and no other connection is opened.
    expect([server.requests.length, server.connections]).toEqual([1, 1])
  })

  it('is `connect` for a closed port', async () => {
    const { post } = startEgress()
    expect(await post(`http://127.0.0.1:${await freePort()}`)).toMatchObject({ error: 'connect' })
  })

  it('is `connect` after 5 s without a connection', async () => {
    const result = await startEgress().post(`http://127.0.0.1:${await startFullBacklog()}`)
    expect(result).toMatchObject({ error: 'connect' })
    expect(result.tookMs).toBeGreaterThan(4_000)
    expect(result.tookMs).toBeLessThan(TRY_MS / 2)
  })

  it('is `dns` for a name that does not resolve, and if no name server answers', async () => {
    const dns = await startDnsServer((name) => (name === 'silent.example' ? 'silence' : undefined))
    onTestFinished(() => dns.close())
    const { post } = startEgress({ resolve: resolveByDns([dns.address]) })
    expect(await post('http://merchant.example:8080')).toMatchObject({ error: 'dns' })
    const silent = await post('http://silent.example:8080')
    expect(silent).toMatchObject({ error: expect.stringMatching(/^(dns|connect)$/) })
    expect(silent.tookMs).toBeLessThan(TRY_MS / 2)
    // An absolute name: no search domain is appended.
    expect(new Set(dns.queries.map(([name]) => name))).toEqual(
      new Set(['merchant.example', 'silent.example']),
    )
  })

  it('is `invalid_url` if the policy does not accept the URL anymore', async () => {
    const { post } = startEgress({ policy: { mode: 'live', allowHosts: [] } })
    for (const url of ['http://merchant.example:8080', 'https://merchant.example:22', 'nothing']) {
      expect(await post(url)).toMatchObject({ kind: 'failed', error: 'invalid_url' })
    }
  })
})

describe('a forbidden address', () => {
  const noHosts = { policy: { allowHosts: [] } }

  it('is refused by the connector too, for literals, for which Node does not call `lookup`', async () => {
    const server = await startServer(writing(httpAnswer(200)))
    const policy = { ...SANDBOX, allowHosts: [] }
    const resolve = () => Promise.reject(new Error('not called'))
    const guarded = new Agent({
      connect: guardedConnector({ policy, resolve, proxyUrl: undefined }),
    })
    const lookup = () => {
      throw new Error('not called')
    }
    const trap = new Agent({ connect: buildConnector({ lookup }) })
    onTestFinished(async () => void (await Promise.all([guarded.destroy(), trap.destroy()])))
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '127.1', '[::ffff:7f00:1]']) {
      const url = `http://${host}:${server.port}`
      expect(await request(url, { dispatcher: trap })).toHaveProperty('statusCode', 200)
      const before = server.connections
      await expect(request(url, { dispatcher: guarded })).rejects.toThrow(/^$/)
      expect(server.connections).toBe(before)
    }
  })

  it.each([
    [['127.0.0.1']],
    [['8.8.8.8', '127.0.0.1']],
    [['127.0.0.1', '8.8.8.8']],
    [['::1']],
    [['8.8.8.8', 'fd00::1']],
    [['not an address']],
    [[]],
  ])('among %j refuses the host', async (addresses) => {
    const server = await startServer(writing(httpAnswer(200)))
    const { post } = startEgress({ ...noHosts, resolve: () => Promise.resolve(addresses) })
    const result = await post(`http://merchant.example:${server.port}`)
    // Nothing that says which address it is.
    expect(result).toEqual({
      kind: 'failed',
      error: 'forbidden_address',
      tookMs: expect.any(Number),
    })
    expect(server.connections).toBe(0)
  })

  it('is reached only for the hosts and ports that the sandbox allows', async () => {
    const server = await startServer(writing(httpAnswer(200)))
    const other = await startServer(writing(httpAnswer(200)))
    const allowHosts = [{ host: 'localhost', port: server.port }]
    const { post } = startEgress({ policy: { allowHosts } })
    expect(await post(`http://localhost:${server.port}`)).toMatchObject({ status: 200 })
    for (const url of [
      `http://localhost:${other.port}`,
      server.url,
      `http://a.localhost:${server.port}`,
    ]) {
      expect(await post(url)).toMatchObject({ error: 'forbidden_address' })
    }
    expect([server.connections, other.connections]).toEqual([1, 0])
  })
})
