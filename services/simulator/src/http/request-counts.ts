import { SlidingWindow } from './sliding-window.js'

/** Seconds that are remembered. */
const MAX_SECONDS = 600
/** Beyond this rate, the peak is a lower bound. */
const MAX_REQUESTS_PER_SECOND = 10_000
const SECOND_MS = 1_000

export interface EndpointCounts {
  readonly total: number
  /** Responses by their status; 0 is a connection closed without one. */
  readonly statuses: Readonly<Record<string, number>>
  /** The most requests in any period of a second, wherever it begins. */
  readonly peakPerSecond: number
  /** Requests by Unix second, the latest 600 seconds with a request. */
  readonly seconds: Readonly<Record<string, number>>
}

interface Counts {
  total: number
  peak: number
  readonly statuses: Map<number, number>
  readonly seconds: Map<number, number>
  /** The requests of the last second. */
  readonly recent: SlidingWindow
}

/** Counts requests by endpoint, so that the rate of a client can be measured. */
export class RequestCounts {
  private readonly endpoints = new Map<string, Counts>()

  /** @param endpoint the name of a route: never a part of a request */
  received(endpoint: string, nowMs: number): void {
    const counts = this.of(endpoint)
    counts.total++
    const second = Math.floor(nowMs / SECOND_MS)
    counts.seconds.set(second, (counts.seconds.get(second) ?? 0) + 1)
    const [oldest] = counts.seconds.keys()
    if (counts.seconds.size > MAX_SECONDS && oldest !== undefined) counts.seconds.delete(oldest)
    counts.recent.take(nowMs)
    counts.peak = Math.max(counts.peak, counts.recent.count)
  }

  answered(endpoint: string, status: number): void {
    const { statuses } = this.of(endpoint)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }

  all(): Record<string, EndpointCounts> {
    const entries = [...this.endpoints].map(([endpoint, counts]) => {
      const { total, peak, statuses, seconds } = counts
      const view = {
        total,
        statuses: Object.fromEntries(statuses),
        peakPerSecond: peak,
        seconds: Object.fromEntries(seconds),
      }
      return [endpoint, view] as const
    })
    return Object.fromEntries(entries)
  }

  clear(): void {
    this.endpoints.clear()
  }

  private of(endpoint: string): Counts {
    const existing = this.endpoints.get(endpoint)
    if (existing) return existing
    const recent = new SlidingWindow(MAX_REQUESTS_PER_SECOND)
    const counts = { total: 0, peak: 0, statuses: new Map(), seconds: new Map(), recent }
    this.endpoints.set(endpoint, counts)
    return counts
  }
}
