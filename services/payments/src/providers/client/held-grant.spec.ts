import { describe, expect, it } from 'vitest'
import type { GrantReading } from '../reading.js'
import { type GrantFailure, HeldGrant } from './held-grant.js'

/** A grant whose requests the test answers. */
function heldGrant() {
  const clock = { ms: 0 }
  const requests: ((reading: GrantReading) => void)[] = []
  const fetch = () => new Promise<GrantReading>((resolve) => requests.push(resolve))
  const grant = new HeldGrant(fetch, { now: () => clock.ms, pauseMaxMs: 5_000 })
  const answer = async (value: string, lifetimeSeconds = 100) => {
    requests.shift()?.({ kind: 'granted', value, lifetimeSeconds })
    await Promise.resolve()
  }
  return { grant, clock, requests, answer }
}

describe('a held grant', () => {
  it('is not replaced because an older one was rejected', async () => {
    const { grant, requests, answer } = heldGrant()
    const first = grant.obtain()
    await answer('a')
    expect(await first).toEqual({ kind: 'granted', value: 'a' })
    expect(grant.reject('a')).toBe(true)
    const second = grant.obtain()
    await answer('b')
    await second
    // A slow request with the older value is answered after the renewal.
    expect(grant.reject('a')).toBe(true)
    expect(await grant.obtain()).toEqual({ kind: 'granted', value: 'b' })
    expect(requests).toHaveLength(0)
  })

  it('is replaced by the answer of a renewal that began before it was rejected', async () => {
    const { grant, clock, requests, answer } = heldGrant()
    const first = grant.obtain()
    await answer('a')
    await first
    clock.ms = 80_000
    expect(await grant.obtain()).toEqual({ kind: 'granted', value: 'a' })
    expect(grant.reject('a')).toBe(true)
    const second = grant.obtain()
    expect(requests).toHaveLength(1)
    await answer('b')
    expect(await second).toEqual({ kind: 'granted', value: 'b' })
    expect(grant.reject('b')).toBe(false)
  })

  it('is used by the calls that waited for it, even if its lifetime is shorter than the wait', async () => {
    const { grant, clock, answer } = heldGrant()
    const call = grant.obtain()
    clock.ms = 20_000
    await answer('a', 10)
    expect(await call).toEqual({ kind: 'granted', value: 'a' })
  })

  it('has the lifetime from its request on', async () => {
    const { grant, clock, requests, answer } = heldGrant()
    const call = grant.obtain()
    clock.ms = 20_000
    await answer('a', 100)
    await call
    clock.ms = 79_999
    await grant.obtain()
    expect(requests).toHaveLength(0)
    clock.ms = 80_000
    await grant.obtain()
    expect(requests).toHaveLength(1)
  })

  it('is not renewed sooner because the provider issues the rejected value again', async () => {
    const { grant, requests, answer } = heldGrant()
    const first = grant.obtain()
    await answer('a')
    await first
    expect(grant.reject('a')).toBe(true)
    const second = grant.obtain()
    await answer('a')
    await second
    expect(grant.reject('a')).toBe(false)
    expect(await grant.obtain()).toEqual({ kind: 'granted', value: 'a' })
    expect(requests).toHaveLength(0)
  })

  it('is requested again after the longest pause of the account, however long the outage was', async () => {
    const { grant, clock, requests } = heldGrant()
    const pauses: number[] = []
    for (let nth = 0; nth < 8; nth++) {
      const failed = grant.obtain()
      requests.shift()?.({ kind: 'unavailable' })
      const { retryAt } = (await failed) as GrantFailure
      pauses.push(retryAt - clock.ms)
      clock.ms = retryAt
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000])
  })
})
