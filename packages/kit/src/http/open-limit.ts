/** Limits how many requests of a key are open at once. */
export class OpenLimit {
  private readonly open = new Map<string, number>()

  /** @returns false, and counts nothing, if the key has as many as the limit */
  enter(key: string, limit: number): boolean {
    const count = this.open.get(key) ?? 0
    if (count >= limit) return false
    this.open.set(key, count + 1)
    return true
  }

  /** Called once for each `enter` that returned true. */
  leave(key: string) {
    const left = (this.open.get(key) ?? 0) - 1
    if (left > 0) this.open.set(key, left)
    else this.open.delete(key)
  }
}
