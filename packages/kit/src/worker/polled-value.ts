import type { Workers } from './workers.js'

const READ_EVERY_MS = 5_000
const TTL_MS = 15_000

/** A value that a worker reads every 5 s, so that a scrape of metrics does not read the database. */
export class PolledValue<Value> {
  private last: { readonly value: Value; readonly at: number } | undefined

  /** @param name that of the worker */
  constructor(workers: Workers, name: string, read: () => Promise<Value>) {
    workers.add({
      name,
      intervalMs: READ_EVERY_MS,
      run: async () => {
        const value = await read()
        this.last = { value, at: performance.now() }
      },
    })
  }

  /** Undefined 15 s after the last read: while the database is down, the current value is unknown. */
  get value(): Value | undefined {
    const { last } = this
    return last && performance.now() - last.at < TTL_MS ? last.value : undefined
  }
}
