import type { Redis } from '@malipo/kit/redis/redis'
import { CircuitBreaker } from '@malipo/kit/worker/circuit-breaker'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible'

interface Window {
  readonly keyPrefix: string
  readonly points: number
  /** In seconds. */
  readonly duration: number
}

export interface Counted {
  readonly found: RateLimiterRes
  /** Takes the count back wherever it was counted. */
  readonly refund: () => Promise<unknown>
}

/** How long a request waits for one count in Redis. A request needs up to three counts. */
const WAIT_MS = 80

/** The circuit that the counters of one limit share. */
export const redisCircuit = () => new CircuitBreaker({ maxFailures: 3, retryIntervalMs: 1_000 })

/**
 * Counts events per key in Redis, where all replicas share the counts, or in memory while Redis is down, or
 * slow several times in a row. A circuit that is open delays no request: its probes are not waited for.
 */
export class SharedCounter {
  private readonly memory: RateLimiterMemory
  private readonly shared: RateLimiterRedis | undefined

  constructor(
    private readonly redis: Pick<Redis, 'raw' | 'isUp'>,
    private readonly circuit: CircuitBreaker,
    window: Window,
  ) {
    this.memory = new RateLimiterMemory(window)
    if (redis.raw) this.shared = new RateLimiterRedis({ ...window, storeClient: redis.raw })
  }

  /** Reads the count of a key; null if nothing was counted. */
  async get(key: string): Promise<RateLimiterRes | null> {
    const found = await this.wait(this.ask(key, (shared) => shared.get(key)))
    return found === undefined ? this.memory.get(key) : found
  }

  async count(key: string): Promise<Counted> {
    const counting = this.ask(key, (shared) => shared.penalty(key))
    const found = await this.wait(counting)
    if (found) return { found, refund: () => this.refund(key) }
    const refund = async () => {
      // Redis may have executed the command that was not waited for.
      void counting?.then((late) => late && this.refund(key))
      await this.memory.reward(key)
    }
    return { found: await this.memory.penalty(key), refund }
  }

  /** Takes a count in Redis back; an open circuit only means that the reply is not waited for. */
  private async refund(key: string): Promise<void> {
    const refunded = this.shared?.reward(key).catch(() => undefined)
    if (!this.circuit.isOpen) await this.wait(refunded)
  }

  /** Sends a command; undefined if the circuit is open. The promise resolves to undefined if it fails. */
  private ask<T>(
    key: string,
    command: (shared: RateLimiterRedis) => Promise<T>,
  ): Promise<T | undefined> | undefined {
    const { shared, circuit } = this
    if (!shared || !this.redis.isUp) return undefined
    if (!circuit.isOpen) return this.record(command(shared))
    if (circuit.allows(performance.now())) void this.record(shared.get(key))
    return undefined
  }

  private record<T>(sent: Promise<T>): Promise<T | undefined> {
    const reply = sent.catch(() => undefined)
    void this.wait(reply).then((timely) => {
      if (timely === undefined) this.circuit.recordFailure(performance.now())
      else this.circuit.recordSuccess()
    })
    return reply
  }

  private async wait<T>(reply: Promise<T | undefined> | undefined): Promise<T | undefined> {
    return reply && withTimeout(reply, WAIT_MS)
  }
}
