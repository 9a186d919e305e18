import { createServer as createHttpServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@malipo/testing/until'
import { describe, expect, it } from 'vitest'
import { stepsOf } from './provider-client/first-byte.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'
import { CHARGE, testAdapter } from './provider-client/test-adapter.js'
import { limitedTo, phaseOf, startClient } from './provider-client/test-client.js'

/** What is on the wire, and how connections are shared and reused. */

const answering = (status = 202) =>
  startRawServer({ onRequest: ({ socket }) => socket.write(httpAnswer(status)) })

describe('a request', () => {
  it('has the path of the base URL before its own, and accepts no coding', async () => {
    const server = await answering()
    const { send } = startClient({ account: { baseUrl: `${server.url}/v1` } })
    await send()
    expect(server.requests[0]?.split('\r\n')).toEqual([
      'POST /v1/charges HTTP/1.1',
      `host: 127.0.0.1:${server.port}`,
      'connection: keep-alive',
      'authorization: Bearer newest-secret',
      'user-agent: malipo',
      'accept-encoding: identity',
      `content-length: ${JSON.stringify(CHARGE).length}`,
      '',
      JSON.stringify(CHARGE),
    ])
  })

  it('is sent to an IPv6 address', async () => {
    const server = createHttpServer((_request, response) => response.writeHead(202).end())
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve))
    const { port } = server.address() as { port: number }
    const { send } = startClient({ account: { baseUrl: `http://[::1]:${port}` } })
    expect(phaseOf(await send())).toBe('answered')
    server.closeAllConnections()
    server.close()
  })

  it('returns the headers in lower case, and repeated ones joined', async () => {
    const headers = ['X-Trace: 1', 'x-trace: 2', 'Retry-After: 7', '__proto__: x']
    const server = await startRawServer({
      onRequest: ({ socket }) => socket.write(httpAnswer(202, '', headers)),
    })
    const outcome = await startClient({ account: { baseUrl: server.url } }).send()
    const { result } = outcome as { result: { headers?: object } }
    expect(Object.entries(result.headers ?? {})).toEqual([
      ['content-length', '0'],
      ['x-trace', '1, 2'],
      ['retry-after', '7'],
      ['__proto__', 'x'],
    ])
  })

  it('is not sent if its head would be invalid, and the log has no secret', async () => {
    const server = await answering()
    const adapter = testAdapter()
    const { initiate } = adapter
    if (!initiate) throw new Error('the adapter must send')
    const invalid: Record<string, string>[] = [
      { authorization: 'Bearer secret\r\nx: y' },
      { 'bad name': 'secret' },
    ]
    for (const headers of invalid) {
      const { send, lines } = startClient({
        account: { baseUrl: server.url },
        adapter: {
          ...adapter,
          initiate: { ...initiate, request: () => ({ method: 'POST', path: '/', headers }) },
        },
      })
      expect(phaseOf(await send())).toBe('connecting')
      expect(JSON.stringify(lines)).not.toContain('secret')
    }
    expect(server.bytes).toBe(0)
  })

  it('is not sent if the adapter throws', async () => {
    const server = await answering()
    const { initiate, ...adapter } = testAdapter()
    if (!initiate) throw new Error('the adapter must send')
    const request = () => {
      throw new Error('a defect')
    }
    const { send, lines } = startClient({
      account: { baseUrl: server.url },
      adapter: { ...adapter, initiate: { ...initiate, request } },
    })
    expect(phaseOf(await send())).toBe('connecting')
    expect(server.connections).toBe(0)
    expect(lines).toMatchObject([{ msg: 'a request could not be rendered' }])
  })
})

describe('mayBegin', () => {
  it('is called when the connection exists, and if it returns false, no byte is written', async () => {
    const server = await answering()
    const { send, client } = startClient({ account: { baseUrl: server.url, ...limitedTo(1) } })
    expect(await send(() => false)).toEqual({ kind: 'not_begun' })
    await until(() => server.connections === 1)
    expect(await client.query(CHARGE, () => false)).toEqual({ kind: 'not_begun' })
    await sleep(100)
    expect(server.bytes).toBe(0)
    expect(phaseOf(await send())).toBe('answered')
    // Also on a connection that has been written to.
    const { bytes } = server
    expect(await send(() => false)).toEqual({ kind: 'not_begun' })
    await sleep(100)
    expect(server.bytes).toBe(bytes)
    // It stays open for other requests.
    expect(server.connections).toBe(1)
  })

  it('is called in the same tick as the first byte is written', async () => {
    const server = await answering()
    const { send } = startClient({ account: { baseUrl: server.url } })
    expect(await stepsOf(send)).toEqual(['begin', 'write', 'next tick'])
  })

  it('that throws prevents the request', async () => {
    const server = await answering()
    const { send } = startClient({ account: { baseUrl: server.url } })
    const outcome = await send(() => {
      throw new Error('a defect')
    })
    expect(phaseOf(outcome)).toBe('connecting')
    expect(server.bytes).toBe(0)
  })

  it('is not called after the timeout, although the connection is opened later', async () => {
    const server = await startRawServer({})
    const { send } = startClient({
      account: { baseUrl: server.url, ...limitedTo(1) },
      adapter: testAdapter({ timeoutSeconds: 1 }),
    })
    const first = send()
    let begun = 0
    const second = send(() => ++begun > 0)
    expect(await Promise.all([first, second].map(async (each) => phaseOf(await each)))).toEqual([
      'sent',
      'connecting',
    ])
    await sleep(300)
    expect([begun, server.requests.length]).toEqual([0, 1])
  })
})

describe('a connection', () => {
  it('is reused, and a closed one is replaced before the request begins', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, nth }) => {
        socket.write(httpAnswer(202))
        if (nth === 2) socket.end()
      },
    })
    const { send } = startClient({ account: { baseUrl: server.url, ...limitedTo(1) } })
    await send()
    await send()
    expect(server.connections).toBe(1)
    await sleep(100)
    expect(phaseOf(await send())).toBe('answered')
    expect([server.connections, server.requests.length]).toEqual([2, 3])
  })

  it('that is reset while a reused one is written to, is `sent`, and nothing is repeated', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, nth }) => {
        if (nth === 1) socket.write(httpAnswer(202))
        else socket.resetAndDestroy()
      },
    })
    const { send } = startClient({ account: { baseUrl: server.url, ...limitedTo(1) } })
    await send()
    expect(await send()).toMatchObject({ result: { phase: 'sent' } })
    await sleep(200)
    expect([server.connections, server.requests.length]).toEqual([1, 2])
  })

  it('with a second answer to one request is closed: no other request gets it', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, nth }) => {
        if (nth > 1) return void socket.write(httpAnswer(202, 'its own'))
        socket.write(httpAnswer(202, 'first'))
        setImmediate(() => socket.write(httpAnswer(202, 'stray')))
      },
    })
    const { send } = startClient({ account: { baseUrl: server.url, ...limitedTo(1) } })
    await send()
    const { result } = (await send()) as { result: { body?: Uint8Array } }
    expect(['its own', '']).toContain(Buffer.from(result.body ?? []).toString())
  })

  it('whose answer is late is closed: no other request gets the answer', async () => {
    const server = await startRawServer({
      onRequest: ({ socket, nth }) => {
        if (nth > 1) return void socket.write(httpAnswer(202, 'its own'))
        setTimeout(() => socket.write(httpAnswer(202, 'late')), 1_500)
      },
    })
    const { send } = startClient({
      account: { baseUrl: server.url, ...limitedTo(1) },
      adapter: testAdapter({ timeoutSeconds: 1 }),
    })
    expect(phaseOf(await send())).toBe('sent')
    const { result } = (await send()) as { result: { body?: Uint8Array } }
    expect(Buffer.from(result.body ?? []).toString()).toBe('its own')
    expect(server.connections).toBe(2)
  })
})
