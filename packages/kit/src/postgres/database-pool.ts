import pg, { type PoolClient, type PoolConfig } from 'pg'
import { timeLeftMs } from '../telemetry/request-context.js'
import { DeadlineExceeded } from '../worker/batch.js'
import { DatabaseClient, OPEN_TIMEOUT_MS } from './database-client.js'

/** The pause between two attempts to open a connection after one has failed, ms. */
const PAUSE_MS = { min: 50, max: 250 }
/**
 * When an attempt that gets no answer no longer holds back the next one, ms: its packets may have been lost before
 * the network was repaired.
 */
const STALL_MS = 1_000

/** A connection of the pool, which the holder releases. */
export type PooledClient = PoolClient & DatabaseClient

interface Waiter {
  readonly resolve: (client: PooledClient) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
}

type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void

/**
 * pg's pool with three more rules. Callers wait for a connection until a deadline. After a failed attempt to
 * open one, a single attempt at a time is made, with a pause between two: a server without free connections
 * would otherwise spend its time on refusing them. And a connection that may have died silently is not used.
 */
export class DatabasePool extends pg.Pool {
  /** In the order of their calls. */
  private readonly waiters = new Set<Waiter>()
  /** Calls of pg's `connect` in progress: for an idle connection, which takes one tick, and for a new one. */
  private readonly connecting = { idle: 0, new: 0 }
  /** The attempts to open a connection that have not stalled. */
  private readonly opening = new Set<object>()
  /** Set from a failed attempt until a connection lasts: a server may accept connections and close them at once. */
  private isProbing = false
  private pauseMs = 0
  private pauseTimer: NodeJS.Timeout | undefined
  private lastFailure: unknown
  private suspectBefore = -Infinity

  constructor(options: PoolConfig) {
    super({ ...options, Client: DatabaseClient } as object)
    this.on('release', (error: unknown, client) => {
      if (!error) this.onAnswered(client as PooledClient)
      // The pool emits this before the connection is idle.
      if (this.waiters.size > 0) process.nextTick(() => this.serve())
    })
  }

  /** The error of the latest attempt to open a connection; undefined if it succeeded. */
  get failure(): unknown {
    return this.lastFailure
  }

  /** Calls that wait for a connection. */
  get queuedCount(): number {
    return this.waiters.size
  }

  /**
   * Takes a connection from the pool.
   *
   * @param deadline by `performance.now()`
   * @throws DeadlineExceeded, or the error of an attempt to open a connection
   */
  async acquire(deadline: number): Promise<PooledClient> {
    if (this.waiters.size === 0 && this.idleCount > this.waitingCount) {
      const client = (await super.connect()) as PooledClient
      if (this.isUsable(client)) return client
    }
    return this.enqueue(deadline)
  }

  /** For TypeORM and for `query`, with the deadline of the current request. */
  override connect(): Promise<PoolClient>
  override connect(callback: ConnectCallback): void
  override connect(callback?: ConnectCallback): Promise<PoolClient> | void {
    const acquired = this.acquire(performance.now() + timeLeftMs(OPEN_TIMEOUT_MS))
    if (!callback) return acquired
    acquired.then(
      (client) => callback(undefined, client, (error) => client.release(error)),
      (error: Error) => callback(error, undefined, () => undefined),
    )
  }

  /**
   * A statement sent at `sentAt` got no answer: its connection was lost. A fault of the network or the server
   * also hits the idle connections, so those that have not worked since then are not used again. A new connection
   * that is lost counts as a failed attempt to open one.
   */
  connectionLost(client: DatabaseClient, sentAt: number, error: unknown) {
    this.suspectBefore = Math.max(this.suspectBefore, sentAt)
    if (client.isNew) this.onFailed(error)
  }

  private enqueue(deadline: number): Promise<PooledClient> {
    const { promise, resolve, reject } = Promise.withResolvers<PooledClient>()
    const fail = () => {
      this.waiters.delete(waiter)
      reject(this.noConnection())
    }
    const timer = setTimeout(fail, Math.max(0, deadline - performance.now()))
    const waiter = { resolve, reject, timer }
    this.waiters.add(waiter)
    this.serve()
    return promise
  }

  private noConnection(): DeadlineExceeded {
    const isFull = this.totalCount >= this.options.max && this.connecting.new === 0
    const message = isFull
      ? `All ${this.options.max} connections of the pool were in use until the deadline`
      : 'No connection to PostgreSQL could be opened before the deadline'
    return new DeadlineExceeded(message, { cause: this.lastFailure })
  }

  private serve() {
    const { connecting, waiters } = this
    if (this.ending) {
      for (const { reject } of this.takeAll()) reject(new Error('The pool is closed'))
    }
    // pg queues each call for an idle connection until the next tick.
    while (connecting.idle < waiters.size && this.idleCount > this.waitingCount) {
      void this.serveNext('idle')
    }
    while (connecting.idle + this.opening.size < waiters.size && this.mayOpen()) void this.open()
  }

  private async open() {
    const attempt = {}
    this.opening.add(attempt)
    const timer = setTimeout(() => {
      this.opening.delete(attempt)
      this.serve()
    }, STALL_MS)
    const serving = this.serveNext('new')
    await serving.finally(() => clearTimeout(timer))
    this.opening.delete(attempt)
    this.serve()
  }

  private mayOpen(): boolean {
    if (this.pauseTimer || (this.isProbing && this.opening.size > 0)) return false
    return this.totalCount < this.options.max
  }

  private async serveNext(kind: 'idle' | 'new') {
    this.connecting[kind]++
    try {
      const client = (await super.connect()) as PooledClient
      if (kind === 'new') this.onOpened()
      if (!this.isUsable(client)) return
      const waiter = this.takeOldest()
      if (waiter) waiter.resolve(client)
      else client.release()
    } catch (error) {
      this.onFailed(error)
      this.takeOldest()?.reject(error)
    } finally {
      this.connecting[kind]--
      this.serve()
    }
  }

  private onOpened() {
    this.lastFailure = undefined
    if (this.isProbing) this.pause()
  }

  private onAnswered(client: DatabaseClient) {
    client.answeredAt = performance.now()
    if (client.isNew) return
    this.isProbing = false
    this.pauseMs = 0
  }

  private onFailed(error: unknown) {
    this.lastFailure = error
    this.isProbing = true
    this.pause()
  }

  /** Attempts that were in progress together fail together, and cause one pause. */
  private pause() {
    if (this.pauseTimer) return
    this.pauseMs = Math.min(Math.max(this.pauseMs * 2, PAUSE_MS.min), PAUSE_MS.max)
    this.pauseTimer = setTimeout(
      () => {
        this.pauseTimer = undefined
        this.serve()
      },
      this.pauseMs * (0.75 + Math.random() / 4),
    ).unref()
  }

  /** Whether the connection works as far as is known; closes it otherwise. */
  private isUsable(client: PooledClient): boolean {
    if (client.answeredAt >= this.suspectBefore) return true
    client.release(true)
    client.destroy()
    return false
  }

  private takeOldest(): Waiter | undefined {
    const [waiter] = this.waiters
    if (!waiter) return undefined
    this.waiters.delete(waiter)
    clearTimeout(waiter.timer)
    return waiter
  }

  private *takeAll(): Generator<Waiter> {
    for (let waiter = this.takeOldest(); waiter; waiter = this.takeOldest()) yield waiter
  }
}
