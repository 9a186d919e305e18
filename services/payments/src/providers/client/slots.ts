/** Limits how many requests are in flight; the others wait in order. */
export class Slots {
  private readonly waiting = new Set<() => void>()
  private inUse = 0

  constructor(private readonly limit: number) {}

  /**
   * Calls `begin` when a slot is free, in a later microtask.
   *
   * @returns a function that removes it from the queue, and does nothing once it has been called
   */
  enqueue(begin: () => void): () => void {
    this.waiting.add(begin)
    this.schedule()
    return () => void this.waiting.delete(begin)
  }

  /** Frees the slot of a request that `enqueue` began. */
  release() {
    this.inUse--
    this.schedule()
  }

  private schedule() {
    queueMicrotask(() => {
      const [begin] = this.waiting
      if (!begin || this.inUse >= this.limit) return
      this.waiting.delete(begin)
      this.inUse++
      begin()
    })
  }
}
