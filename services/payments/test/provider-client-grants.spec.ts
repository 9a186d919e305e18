import { until } from '@malipo/testing/until'
import { describe, expect, it } from 'vitest'
import { CHARGE, keyGrant, testAdapter, tokenGrant } from './provider-client/test-adapter.js'
import { always, limitedTo, phaseOf, startClient } from './provider-client/test-client.js'
import { startTokenServer } from './provider-client/token-server.js'

/** Tokens and keys that requests need, and that the provider may reject. */

const TOKEN = 'token-of-newest-secret-'
const WITH_TOKEN = testAdapter({ needs: ['token'], grants: { token: tokenGrant(5) } })

/** A client whose clock the test moves. */
async function startGranted(adapter = WITH_TOKEN) {
  const server = await startTokenServer()
  const clock = { seconds: 1_000 }
  const now = () => clock.seconds * 1_000
  return { server, clock, ...startClient({ account: { baseUrl: server.url }, adapter, now }) }
}

const WITH_KEY = testAdapter({
  needs: ['token', 'key'],
  grants: { token: tokenGrant(5), key: keyGrant(5) },
})

describe('a grant', () => {
  it('R14: is requested once for 50 concurrent calls', async () => {
    const { server, client } = await startGranted()
    server.delayMs = 100
    const calls = Array.from({ length: 25 }, () => [
      client.send(CHARGE, always),
      client.query(CHARGE, always),
    ])
    const phases = (await Promise.all(calls.flat())).map(phaseOf)
    expect(new Set(phases)).toEqual(new Set(['answered']))
    expect(server.count('/token')).toBe(1)
    expect(new Set(server.used)).toEqual(new Set([`${TOKEN}1`]))
  })

  it('R14: is renewed in the background at 80 % of its lifetime', async () => {
    const { server, clock, send } = await startGranted()
    await send()
    clock.seconds += 79
    await send()
    expect(server.count('/token')).toBe(1)
    clock.seconds += 2
    server.delayMs = 300
    await send()
    // The previous token is used meanwhile.
    expect(server.used).toEqual([1, 1, 1].map((nth) => `${TOKEN}${nth}`))
    await until(() => server.count('/token') === 2)
    await expect.poll(async () => (await send(), server.used.at(-1))).toBe(`${TOKEN}2`)
    expect(server.count('/token')).toBe(2)
  })

  it('that has expired is not used', async () => {
    const { server, clock, send } = await startGranted()
    await send()
    clock.seconds += 101
    await send()
    expect(server.used).toEqual([`${TOKEN}1`, `${TOKEN}2`])
  })

  it('whose renewal fails is used until it expires', async () => {
    const { server, clock, send } = await startGranted()
    await send()
    server.tokenStatus = 503
    clock.seconds += 90
    await send()
    await until(() => server.count('/token') === 2)
    expect(server.used).toEqual([`${TOKEN}1`, `${TOKEN}1`])
    clock.seconds += 11
    expect(await send()).toMatchObject({ reading: { kind: 'not_sent' } })
  })

  it('that needs another grant is requested with it', async () => {
    const { server, send } = await startGranted(WITH_KEY)
    await Promise.all([send(), send()])
    expect([server.count('/token'), server.count('/key')]).toEqual([1, 1])
    expect(server.used).toEqual([`${TOKEN}1 key-1`, `${TOKEN}1 key-1`])
  })

  it('that needs a rejected grant is requested again with a new one', async () => {
    const { server, clock, send } = await startGranted(WITH_KEY)
    server.rejected.add(`${TOKEN}1`)
    expect(await send()).toMatchObject({ reading: { failure: 'provider_unavailable' } })
    clock.seconds += 1
    expect(phaseOf(await send())).toBe('answered')
    expect(server.used).toEqual([`${TOKEN}2 key-2`])
  })

  it('is requested while all slots are taken by calls', async () => {
    const server = await startTokenServer()
    const clock = { seconds: 1_000 }
    const { client, send } = startClient({
      account: { baseUrl: server.url, ...limitedTo(1) },
      adapter: WITH_TOKEN,
      now: () => clock.seconds * 1_000,
    })
    server.sendDelayMs = 3_000
    let isEnded = false
    const first = send().finally(() => (isEnded = true))
    await until(() => server.count('/charges') === 1)
    server.sendDelayMs = 0
    clock.seconds += 90
    const second = client.query(CHARGE, always)
    await until(() => server.count('/token') === 2)
    expect(isEnded).toBe(false)
    expect([phaseOf(await first), phaseOf(await second)]).toEqual(['answered', 'answered'])
  })
})

describe('a rejected grant', () => {
  it('R14: is renewed, and the call is to be repeated', async () => {
    const { server, send, metric } = await startGranted()
    await send()
    server.rejected.add(`${TOKEN}1`)
    expect(await send()).toEqual({ kind: 'repeat' })
    expect(phaseOf(await send())).toBe('answered')
    expect(server.used).toEqual([1, 1, 2].map((nth) => `${TOKEN}${nth}`))
    const labels = { account: 'test', call: 'send', result: 'repeat' }
    expect(await metric('provider_calls_total', labels)).toBe(1)
  })

  it('R14: is renewed once for all calls that used it', async () => {
    const { server, send } = await startGranted()
    await send()
    server.rejected.add(`${TOKEN}1`)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => send()))
    expect(new Set(outcomes.map(phaseOf))).toEqual(new Set(['repeat']))
    await Promise.all(Array.from({ length: 20 }, () => send()))
    expect(server.count('/token')).toBe(2)
  })

  it('R14: is not renewed again if its replacement is rejected within a minute', async () => {
    const { server, clock, send, metric } = await startGranted()
    for (let nth = 1; nth <= 9; nth++) server.rejected.add(`${TOKEN}${nth}`)
    expect(await send()).toEqual({ kind: 'repeat' })
    expect(await send()).toMatchObject({
      kind: 'read',
      reading: { failure: 'provider_configuration' },
      result: { status: 401 },
    })
    clock.seconds += 59
    expect(phaseOf(await send())).toBe('answered')
    expect(server.count('/token')).toBe(2)
    clock.seconds += 2
    expect(await send()).toEqual({ kind: 'repeat' })
    expect(await send()).toMatchObject({ kind: 'read' })
    expect(server.count('/token')).toBe(3)
    const flagged = { account: 'test', flag: 'configuration' }
    expect(await metric('provider_readings_flagged_total', flagged)).toBe(3)
  })

  it('repeats a query', async () => {
    const { server, client } = await startGranted()
    await client.query(CHARGE, always)
    server.rejected.add(`${TOKEN}1`)
    expect(await client.query(CHARGE, always)).toEqual({ kind: 'repeat' })
    expect(await client.query(CHARGE, always)).toMatchObject({ reading: { kind: 'succeeded' } })
  })

  it('repeats no request for money that may have happened', async () => {
    const { server, send } = await startGranted()
    server.sendStatus = 409
    expect(await send()).toMatchObject({ kind: 'read', reading: { kind: 'may_have_happened' } })
    expect(server.count('/token')).toBe(1)
  })
})

describe('a grant that can’t be had', () => {
  it('because it is refused, sends nothing, and is requested again after half a minute', async () => {
    const { server, clock, client, send, lines, metric } = await startGranted()
    server.accepted.add('another-secret')
    let begun = 0
    const refused = { providerCode: 'invalid_client', flags: ['configuration'] }
    expect(await send(() => ++begun > 0)).toEqual({
      kind: 'read',
      reading: {
        kind: 'not_sent',
        failure: 'provider_configuration',
        retry: true,
        retryAfterSeconds: 30,
        ...refused,
      },
      result: { phase: 'connecting' },
    })
    clock.seconds += 29
    expect(await client.query(CHARGE, always)).toEqual({
      kind: 'read',
      reading: { kind: 'no_news', retryAfterSeconds: 1, ...refused },
      result: { phase: 'connecting' },
    })
    expect([server.count('/token'), begun]).toEqual([1, 0])
    expect(await metric('provider_calls_total', { call: 'grant', result: 'refused' })).toBe(1)
    server.accepted.clear()
    clock.seconds += 1
    expect(phaseOf(await send())).toBe('answered')
    expect(lines.map(({ msg }) => msg)).toEqual([
      'access to the provider is unavailable',
      'access to the provider is available again',
    ])
    expect(JSON.stringify(lines)).not.toMatch(/secret|token-of/)
  })

  it('because the provider is unavailable, is requested ever more rarely', async () => {
    const { server, clock, send } = await startGranted()
    server.tokenStatus = 503
    const requestedAfter: number[] = []
    for (let second = 0; second <= 200; second++) {
      const before = server.count('/token')
      await send()
      if (server.count('/token') > before) requestedAfter.push(second)
      clock.seconds++
    }
    expect(requestedAfter).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183])
    expect(await send()).toMatchObject({
      reading: { kind: 'not_sent', failure: 'provider_unavailable', retry: true, flags: [] },
    })
  })

  it('is requested again when the provider says so, or after 15 minutes', async () => {
    const { server, clock, send } = await startGranted()
    server.tokenStatus = 429
    server.tokenHeaders = { 'retry-after': '20' }
    expect(await send()).toMatchObject({ reading: { retryAfterSeconds: 20 } })
    clock.seconds += 20
    server.tokenHeaders = { 'retry-after': '86400' }
    expect(await send()).toMatchObject({ reading: { retryAfterSeconds: 900 } })
    expect(server.count('/token')).toBe(2)
  })

  it('is not requested more often by concurrent calls', async () => {
    const { server, send } = await startGranted()
    server.tokenStatus = 503
    await Promise.all(Array.from({ length: 50 }, () => send()))
    await Promise.all(Array.from({ length: 50 }, () => send()))
    expect(server.count('/token')).toBe(1)
  })

  it('in time leaves the decision to mayBegin', async () => {
    const { server, send } = await startGranted()
    server.delayMs = 200
    expect(await send(() => false)).toEqual({ kind: 'not_begun' })
    expect([server.count('/token'), server.count('/charges')]).toEqual([1, 0])
  })

  it('because the client is closed, begins nothing', async () => {
    const { server, client, send } = await startGranted()
    server.delayMs = 500
    const call = send()
    await until(() => server.count('/token') === 1)
    await client.close()
    expect(await call).toEqual({ kind: 'not_begun' })
    expect(server.count('/charges')).toBe(0)
  })
})
