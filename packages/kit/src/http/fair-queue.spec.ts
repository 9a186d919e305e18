import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FairQueue } from './fair-queue.js'

/** An item such as `A1.2`: the second item of caller 1 in network A. */
class Item {
  readonly network: string
  readonly caller: string

  constructor(readonly name: string) {
    this.network = name.slice(0, 1)
    this.caller = name.slice(1).split('.', 1)[0] ?? ''
  }
}

const always = () => true

function queueOf(names: string, maxItems = 100) {
  const queue = new FairQueue<Item>(maxItems)
  const items = names.split(' ').map((name) => new Item(name))
  const dropped = items.map((item) => queue.add(item)?.name).filter((name) => name !== undefined)
  return { queue, items, dropped }
}

function drain(queue: FairQueue<Item>, isReady: (item: Item) => boolean = always) {
  const names: string[] = []
  for (let item = queue.take(isReady); item; item = queue.take(isReady)) names.push(item.name)
  return names.join(' ')
}

describe('the order of turns', () => {
  it.each([
    ['is first in, first out for one caller', 'A1.1 A1.2 A1.3', 'A1.1 A1.2 A1.3'],
    ['serves callers of a network in turn', 'A1.1 A1.2 A1.3 A2.1', 'A1.1 A2.1 A1.2 A1.3'],
    ['serves networks in turn', 'A1.1 A2.1 A3.1 B1.1 B1.2', 'A1.1 B1.1 A2.1 B1.2 A3.1'],
    ['distinguishes equal callers of two networks', 'A1.1 A1.2 B1.1', 'A1.1 B1.1 A1.2'],
  ])('%s', (_, added, taken) => {
    expect(drain(queueOf(added).queue)).toBe(taken)
  })

  it('continues with the next network and caller after items were added', () => {
    const { queue } = queueOf('A1.1 A1.2 B1.1 B2.1')
    expect(queue.take(always)?.name).toBe('A1.1')
    queue.add(new Item('A2.1'))
    queue.add(new Item('C1.1'))
    expect(drain(queue)).toBe('B1.1 A1.2 C1.1 B2.1 A2.1')
  })

  it('skips callers that are not ready, which keep their turn', () => {
    const { queue } = queueOf('A1.1 A1.2 A2.1 B1.1')
    expect(drain(queue, ({ caller }) => caller === '2')).toBe('A2.1')
    expect(queue.size).toBe(3)
    expect(drain(queue)).toBe('B1.1 A1.1 A1.2')
  })
})

describe('a full queue', () => {
  it.each([
    ['drops the newest item of the longest flow', 'A1.1 A1.2 A1.3 B1.1', 'A1.3'],
    ['drops the added item if its flow is the longest', 'A1.1 B1.1 B1.2 B1.3', 'B1.3'],
    ['drops from the network with the most items', 'A1.1 A2.1 B1.1 B1.2', 'B1.2'],
    ['counts the items of all callers of a network', 'A1.1 A2.1 A3.1 B1.1', 'A1.1'],
    ['drops from the longest caller of that network', 'A1.1 A1.2 A2.1 A3.1', 'A1.2'],
    ['drops the added item if all flows have the same length', 'A1.1 B1.1 C1.1 D1.1', 'D1.1'],
  ])('%s', (_, added, dropped) => {
    expect(queueOf(added, 3)).toMatchObject({ dropped: [dropped], queue: { size: 3 } })
  })
})

it('removes an item, and only once', () => {
  const { queue, items } = queueOf('A1.1 A1.2 B1.1')
  const [first, second] = items as [Item, Item]
  expect(queue.remove(second)).toBe(true)
  expect(queue.remove(second)).toBe(false)
  expect(queue.take(always)).toBe(first)
  expect(queue.remove(first)).toBe(false)
  expect(drain(queue)).toBe('B1.1')
  expect(queue.size).toBe(0)
})

it('serves each network within one turn of the others, whatever the rest of the queue', () => {
  const names = fc.array(fc.tuple(fc.constantFrom('A', 'B', 'C'), fc.nat(4)), { maxLength: 40 })
  fc.assert(
    fc.property(names, (flows) => {
      const { queue } = queueOf(
        ['Z9.0', ...flows.map(([network, caller], i) => `${network}${caller}.${i}`)].join(' '),
      )
      queue.add(new Item('Z9.1'))
      const taken = drain(queue).split(' ')
      expect(taken).toHaveLength(flows.length + 2)
      // Between the two items of Z, every other network has at most one turn.
      expect(taken.indexOf('Z9.1') - taken.indexOf('Z9.0')).toBeLessThanOrEqual(4)
    }),
  )
})
