import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@malipo/testing/until'
import { describe, expect, it } from 'vitest'
import type { Charge } from '../src/providers/adapter.js'
import { httpAnswer, startRawServer } from './provider-client/raw-server.js'
import { CHARGE, testAdapter } from './provider-client/test-adapter.js'
import { always, limitedTo, phaseOf, startClient } from './provider-client/test-client.js'

/** How many requests are in flight, and what happens to them when the client is closed. */

const chargeNumber = (nth: number): Charge => ({ ...CHARGE, reference: `reference-${nth}.` })

describe('maxInFlight', () => {
  /** @param answer of each request, after a pause */
  async function startCounted(answer: (socket: Socket, nth: number) => void) {
    const counts = { open: 0, most: 0 }
    const server = await startRawServer({
      onConnection: (socket) => {
        counts.most = Math.max(counts.most, ++counts.open)
        socket.on('close', () => counts.open--)
      },
      onRequest: ({ socket, nth }) => setTimeout(() => answer(socket, nth), 5),
    })
    return { counts, server }
  }

  it('is open by 1000 calls at once, and all are answered', async () => {
    const { counts, server } = await startCounted((socket) => socket.write(httpAnswer(202)))
    const { client, metric } = startClient({
      account: { baseUrl: server.url, ...limitedTo(20) },
      adapter: testAdapter({ timeoutSeconds: 60 }),
    })
    const calls = Array.from({ length: 1_000 }, (_, nth) => client.send(chargeNumber(nth), always))
    expect(await metric('provider_calls_in_flight', { account: 'test' })).toBe(1_000)
    const phases = (await Promise.all(calls)).map(phaseOf)
    expect(new Set(phases)).toEqual(new Set(['answered']))
    expect([counts.most, server.connections]).toEqual([20, 20])
    expect(await metric('provider_calls_in_flight', { account: 'test' })).toBe(0)
  })

  it('is open while connections fail: no request is lost, written twice, or read as another one', async () => {
    const { counts, server } = await startCounted((socket, nth) => {
      if (nth % 3 === 0) socket.resetAndDestroy()
      else if (nth % 3 === 1) socket.end(httpAnswer(202))
      else socket.write(httpAnswer(202))
    })
    const { client } = startClient({
      account: { baseUrl: server.url, ...limitedTo(5) },
      adapter: testAdapter({ timeoutSeconds: 60 }),
    })
    const begun = new Map<number, number>()
    const phases = await Promise.all(
      Array.from({ length: 300 }, async (_, nth) => {
        const mayBegin = () => begun.set(nth, (begun.get(nth) ?? 0) + 1).size > 0
        return phaseOf(await client.send(chargeNumber(nth), mayBegin))
      }),
    )
    // A connection that a client closes is open at the server for a moment.
    expect(counts.most).toBeLessThanOrEqual(10)
    for (const [nth, phase] of phases.entries()) {
      const written = server.requests.filter((text) => text.includes(`reference-${nth}.`)).length
      expect([phase, begun.get(nth) ?? 0, written]).toEqual(
        phase === 'connecting' ? ['connecting', 0, 0] : [phase, 1, 1],
      )
    }
    expect(phases.filter((phase) => phase === 'answered').length).toBeGreaterThan(150)
  })

  it('leaves no connection to be opened for calls that are out of time', async () => {
    const server = await startRawServer({})
    const { client } = startClient({
      account: { baseUrl: `https://127.0.0.1:${server.port}`, ...limitedTo(1) },
      adapter: testAdapter({ timeoutSeconds: 1 }),
    })
    const calls = Array.from({ length: 20 }, (_, nth) => client.send(chargeNumber(nth), always))
    const phases = (await Promise.all(calls)).map(phaseOf)
    expect(new Set(phases)).toEqual(new Set(['connecting']))
    // The handshake of the first call ends after 5 s.
    await sleep(6_500)
    expect(server.connections).toBe(1)
  })
})

describe('close', () => {
  it('ends calls that have not begun, and aborts none that has', async () => {
    const sockets: Socket[] = []
    const server = await startRawServer({ onRequest: ({ socket }) => sockets.push(socket) })
    const { client, send } = startClient({ account: { baseUrl: server.url, ...limitedTo(1) } })
    const first = send()
    const second = send()
    await until(() => sockets.length === 1)
    const closed = client.close()
    expect(await second).toEqual({ kind: 'not_begun' })
    expect(await send()).toEqual({ kind: 'not_begun' })
    sockets[0]?.write(httpAnswer(202))
    expect(phaseOf(await first)).toBe('answered')
    await closed
    await client.close()
  })

  it('waits a bounded time', async () => {
    const server = await startRawServer({})
    const { client, send } = startClient({
      account: { baseUrl: server.url },
      adapter: testAdapter({ timeoutSeconds: 8 }),
    })
    const call = send()
    await until(() => server.requests.length === 1)
    let isEnded = false
    void call.finally(() => (isEnded = true))
    await client.close()
    expect(isEnded).toBe(false)
    expect(phaseOf(await call)).toBe('sent')
  })
})

describe('metrics', () => {
  it('count calls by what the answer means', async () => {
    const server = await startRawServer({
      onRequest: ({ socket }) => socket.write(httpAnswer(500)),
    })
    const { client, send, metric } = startClient({ account: { baseUrl: server.url } })
    await send()
    await client.query(CHARGE, always)
    await send(() => false)
    const count = (call: string, result: string) =>
      metric('provider_calls_total', { account: 'test', call, result })
    expect(await count('send', 'may_have_happened')).toBe(1)
    expect(await count('send', 'not_begun')).toBe(1)
    expect(await count('send', 'pending')).toBe(0)
    expect(await count('query', 'no_news')).toBe(1)
  })
})
