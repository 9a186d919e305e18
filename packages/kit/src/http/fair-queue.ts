/** The flow of a queued item: a network, and a caller in it. */
export interface Flow {
  readonly network: string
  readonly caller: string
}

/**
 * Serves networks in turn, and the callers of a network in turn: accounts and tokens are easier to get than
 * networks. The items of a caller are first in, first out.
 */
export class FairQueue<Item extends Flow> {
  /** The queued items by network and caller. Both maps are in the order of turns. */
  private readonly networks = new Map<string, Map<string, Item[]>>()
  private count = 0

  constructor(private readonly maxItems: number) {}

  get size(): number {
    return this.count
  }

  /** Returns the item that a full queue drops: the newest of the longest flow, which may be `item`. */
  add(item: Item): Item | undefined {
    let callers = this.networks.get(item.network)
    if (!callers) this.networks.set(item.network, (callers = new Map<string, Item[]>()))
    const items = callers.get(item.caller)
    if (items) items.push(item)
    else callers.set(item.caller, [item])
    this.count++
    if (this.count <= this.maxItems) return undefined
    const dropped = this.newestOfLongest(item)
    this.remove(dropped)
    return dropped
  }

  /** Takes the next item in turn that is ready; undefined if none is. */
  take(isReady: (item: Item) => boolean): Item | undefined {
    for (const [network, callers] of this.networks) {
      for (const [caller, items] of callers) {
        const [item] = items
        if (!item || !isReady(item)) continue
        items.shift()
        this.count--
        // Reinsertion moves an entry to the end of its map.
        callers.delete(caller)
        if (items.length > 0) callers.set(caller, items)
        this.networks.delete(network)
        if (callers.size > 0) this.networks.set(network, callers)
        return item
      }
    }
    return undefined
  }

  /** Removes an item that left the queue before its turn; false if it is not queued. */
  remove(item: Item): boolean {
    const callers = this.networks.get(item.network)
    const items = callers?.get(item.caller)
    const index = items?.lastIndexOf(item) ?? -1
    if (!callers || !items || index < 0) return false
    items.splice(index, 1)
    this.count--
    if (items.length === 0) callers.delete(item.caller)
    if (callers.size === 0) this.networks.delete(item.network)
    return true
  }

  /** Removes the items that match, and returns them. */
  removeIf(matches: (item: Item) => boolean): Item[] {
    const all = [...this.networks.values()].flatMap((callers) => [...callers.values()].flat())
    return all.filter((item) => matches(item) && this.remove(item))
  }

  /** In a tie, the flow of the added item counts as the longest: it displaces no flow of equal length. */
  private newestOfLongest(added: Item): Item {
    const own = this.networks.get(added.network)
    let [longest, length] = [own, own ? lengthOf(own) : 0]
    for (const callers of this.networks.values()) {
      const other = lengthOf(callers)
      if (other > length) [longest, length] = [callers, other]
    }
    let items = (longest === own ? own?.get(added.caller) : undefined) ?? []
    for (const others of longest?.values() ?? []) if (others.length > items.length) items = others
    return items.at(-1) ?? added
  }
}

function lengthOf(callers: ReadonlyMap<string, readonly unknown[]>): number {
  let length = 0
  for (const items of callers.values()) length += items.length
  return length
}
