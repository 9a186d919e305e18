import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startEgress } from './egress/test-egress.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'

/** Connections of the client of notifications, and tries that are ended. */

const HEAD = 'HTTP/1.1 200 OK\r\n'

/** A server that answers each request with the same bytes, or with none. */
const startServer = (...answer: readonly string[]) =>
  startRawServer({ onRequest: ({ socket }) => answer.forEach((part) => socket.write(part)) })

describe('connections', () => {
  it('are used again', async () => {
    const server = await startServer(httpAnswer(200, 'ok'))
    const { post } = startEgress()
    for (let nth = 0; nth < 5; nth++) await post(server.url)
    expect([server.requests.length, server.connections]).toEqual([5, 1])
  })

  it('that the server has closed meanwhile lose no request', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, nth }) => {
        // Two connections at the same time, which are then reset by the next request on each.
        if (nth === 1 || nth === 2) setTimeout(() => socket.write(httpAnswer(200)), 100)
        else if (nth === 3 || nth === 5) socket.resetAndDestroy()
        else socket.write(httpAnswer(201))
      },
    })
    const { post } = startEgress()
    const both = await Promise.all([post(server.url), post(server.url)])
    expect(both).toMatchObject([{ status: 200 }, { status: 200 }])
    expect(server.connections).toBe(2)
    expect(await post(server.url)).toMatchObject({ kind: 'answered', status: 201 })
    expect([server.requests.length, server.connections]).toEqual([4, 3])
  })

  it('end with the request of a server that always resets them after its first answer', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, nth }) => {
        if (nth === 1) socket.write(httpAnswer(200))
        else socket.resetAndDestroy()
      },
    })
    const { post } = startEgress()
    await post(server.url)
    expect(await post(server.url)).toMatchObject({ kind: 'failed', error: 'reset' })
    expect(server.requests).toHaveLength(3)
  })

  it('of a slow endpoint delay no other endpoint of the host', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, text }) => {
        if (!text.startsWith('POST /slow')) socket.write(httpAnswer(200))
      },
    })
    const { post } = startEgress({ tryMs: 5_000 })
    const slow = Array.from({ length: 20 }, () => post(`${server.url}/slow`))
    expect(await post(`${server.url}/quick`)).toMatchObject({ status: 200 })
    expect(await Promise.all(slow)).toEqual(
      Array.from({ length: 20 }, () => expect.objectContaining({ error: 'timeout' })),
    )
  })

  it('use no proxy of the environment', async () => {
    const proxy = await startRawServer({})
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy']) {
      vi.stubEnv(name, proxy.url)
    }
    vi.stubEnv('NODE_USE_ENV_PROXY', '1')
    onTestFinished(() => void vi.unstubAllEnvs())
    const server = await startServer(httpAnswer(200))
    expect(await startEgress().post(server.url)).toMatchObject({ status: 200 })
    expect(proxy.connections).toBe(0)
  })
})

describe('a try that is ended', () => {
  it.each(['before it begins', 'while it waits for an answer'])('%s is `aborted`', async (when) => {
    const server = await startServer()
    const controller = new AbortController()
    if (when === 'before it begins') controller.abort()
    const trying = startEgress().post(server.url, controller.signal)
    setTimeout(() => controller.abort(), 100)
    expect(await trying).toMatchObject({ kind: 'aborted' })
    expect(server.requests).toHaveLength(when === 'before it begins' ? 0 : 1)
  })

  it('after the head of its answer is answered', async () => {
    const server = await startServer(`${HEAD}content-length: 5\r\n\r\n`)
    const controller = new AbortController()
    const trying = startEgress().post(server.url, controller.signal)
    setTimeout(() => controller.abort(), 300)
    expect(await trying).toMatchObject({ kind: 'answered', status: 200 })
  })

  it('while it connects sends nothing', async () => {
    const server = await startServer(httpAnswer(200))
    const resolving = Promise.withResolvers<readonly string[]>()
    const { post } = startEgress({ resolve: () => resolving.promise })
    const controller = new AbortController()
    const trying = post(`http://merchant.example:${server.port}`, controller.signal)
    controller.abort()
    expect(await trying).toMatchObject({ kind: 'aborted' })
    resolving.resolve(['127.0.0.1'])
    await sleep(100)
    expect(server.connections).toBe(0)
  })

  it('by the shutdown is `aborted`, and so is every later one', async () => {
    const server = await startServer()
    const { client, post } = startEgress()
    const trying = post(server.url)
    await expect.poll(() => server.requests.length).toBe(1)
    await client.onApplicationShutdown()
    expect(await trying).toMatchObject({ kind: 'aborted' })
    expect(await post(server.url)).toMatchObject({ kind: 'aborted' })
  })
})
