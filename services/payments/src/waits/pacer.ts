/** Releases items in their order, at most `maxItems` in each interval; the first ones at once. */
export class Pacer<Item> {
  private readonly queue = new Set<Item>()
  private left: number
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly release: (item: Item) => void,
    private readonly maxItems: number,
    private readonly intervalMs: number,
  ) {
    this.left = maxItems
  }

  add(item: Item) {
    this.queue.add(item)
    this.timer ??= setInterval(() => this.refill(), this.intervalMs)
    this.flush()
  }

  /** Removes an item that was not released yet. */
  remove(item: Item) {
    this.queue.delete(item)
  }

  private refill() {
    this.left = this.maxItems
    this.flush()
    if (this.left < this.maxItems) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  private flush() {
    for (const item of this.queue) {
      if (this.left === 0) return
      this.left--
      this.queue.delete(item)
      this.release(item)
    }
  }
}
