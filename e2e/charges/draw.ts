import { hash } from 'node:crypto'

/** Numbers that depend on the seed and on what they are for, and on nothing else: not on the order of draws. */
export class Draw {
  readonly seed: string

  constructor(seed: string) {
    this.seed = seed
  }

  /** From 0 (inclusive) to 1 (exclusive). */
  fraction(...purpose: readonly (string | number)[]): number {
    const digits = hash('sha256', [this.seed, ...purpose].join('\0'), 'hex').slice(0, 13)
    return Number.parseInt(digits, 16) / 2 ** 52
  }

  between(min: number, max: number, ...purpose: readonly (string | number)[]): number {
    return min + (max - min) * this.fraction(...purpose)
  }

  /** A whole number, both bounds included. */
  whole(min: number, max: number, ...purpose: readonly (string | number)[]): number {
    return Math.floor(this.between(min, max + 1, ...purpose))
  }

  pick<Item>(items: readonly Item[], ...purpose: readonly (string | number)[]): Item {
    return items[this.whole(0, items.length - 1, ...purpose)] as Item
  }

  /** The items in another order. */
  shuffled<Item>(items: readonly Item[], ...purpose: readonly (string | number)[]): Item[] {
    const at = new Map(items.map((item, n) => [item, this.fraction(...purpose, n)]))
    return items.toSorted((a, b) => (at.get(a) ?? 0) - (at.get(b) ?? 0))
  }
}
