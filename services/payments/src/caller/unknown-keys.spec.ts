import { setImmediate as tick } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { RejectedTokens } from './rejected-tokens.js'
import { UnknownKeys } from './unknown-keys.js'

const ADDRESS = '192.0.2.1'

describe('checks of unknown keys', () => {
  let rejected: RejectedTokens
  let keys: UnknownKeys
  beforeEach(() => {
    rejected = new RejectedTokens()
    keys = new UnknownKeys(rejected)
  })

  /** Begins checks, and returns the results of those that do not wait. */
  const begin = async (count: number, address = ADDRESS) => {
    const results: number[] = []
    for (let n = 0; n < count; n++) {
      void keys.begin(address).then((seconds) => results.push(seconds))
    }
    await tick()
    return results
  }
  const reject = (n: number, address = ADDRESS) => {
    rejected.add(`key ${n}`, address)
    keys.end(address)
  }
  const zeros = (count: number) => Array<number>(count).fill(0)

  it('of a network are 100 at the same time, less the rejections', async () => {
    rejected.add('token', ADDRESS)
    const results = await begin(120)
    expect(results).toEqual(zeros(99))
    expect(await begin(5, '192.0.2.2')).toEqual(zeros(5))
  })

  it('let a waiting one begin when a valid key has been accepted', async () => {
    const results = await begin(103)
    keys.end(ADDRESS)
    await tick()
    expect(results).toEqual(zeros(101))
  })

  it('throttle all that wait once 100 are rejected, without another check', async () => {
    const results = await begin(150)
    for (let n = 0; n < 99; n++) reject(n)
    await tick()
    expect(results).toEqual(zeros(100))
    reject(99)
    await tick()
    expect(results).toHaveLength(150)
    expect(results.slice(100).every((seconds) => seconds > 0)).toBe(true)
  })

  it('throttle further ones while 100 wait', async () => {
    const results = await begin(201)
    expect(results).toEqual([...zeros(100), 1])
  })

  it('of an IPv6 /56 are 200, and 100 in each /64', async () => {
    expect(await begin(110, '2001:db8:1:201::1')).toEqual(zeros(100))
    expect(await begin(99, '2001:db8:1:202::1')).toEqual(zeros(99))
    expect(await begin(5, '2001:db8:1:203::1')).toEqual(zeros(1))
    // The freed room of the /64 is of the one that waits there, and also counts in the /56.
    keys.end('2001:db8:1:201::1')
    await tick()
    expect(await begin(2, '2001:db8:1:203::1')).toEqual([])
  })
})
