import { setTimeout as sleep } from 'node:timers/promises'
import { Database } from '@malipo/kit/postgres/database'
import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { Redis } from '@malipo/kit/redis/redis'
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { Registry } from 'prom-client'
import { MOST_AT_ONCE, Revocations } from './revocations.js'
import { type Ended, endedSince, forgetOver, untold } from './untold.store.js'

const PAUSE_MS = { first: 2_000, most: 15_000 }

/**
 * Sends on what Redis could not be told when a session ended, until it is told: whatever has kept it, also
 * the end of the replica that ended the session. And after each new connection to Redis it tells all ends
 * again that still matter, for what is there now may be empty, or older than what was there before.
 *
 * Every replica does so. To tell something twice changes nothing, so they need not know of each other.
 */
@Injectable()
export class Teller implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController()
  /** How often Redis was connected, and after which of them everything was told. */
  private connected = 0
  private toldAfter = 0
  /** How many ends waited at the last look, of those that one look sees. */
  private waiting = 0

  constructor(
    private readonly revocations: Revocations,
    @Inject(Redis) private readonly redis: Redis,
    @Inject(Database) private readonly database: Database,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
  ) {
    const help = `Ends of sessions that Redis was not told yet, at most ${MOST_AT_ONCE}, the same for all replicas`
    observableGauge(registry, { name: 'revocations_untold', help }, (gauge) =>
      gauge.set(this.waiting),
    )
  }

  onApplicationBootstrap() {
    this.redis.raw?.on('ready', () => {
      this.connected++
      this.wake()
    })
    void this.run()
  }

  onModuleDestroy() {
    this.stopping.abort()
    this.wake()
  }

  /** Ends a pause. */
  private wake: () => void = () => undefined

  private async run(): Promise<void> {
    let pauseMs = PAUSE_MS.first
    while (!this.stopping.signal.aborted) {
      const before = this.connected
      const done = (await this.round()) || before !== this.connected
      pauseMs = done ? PAUSE_MS.first : Math.min(pauseMs * 2, PAUSE_MS.most)
      await this.pause(pauseMs * (0.75 + Math.random() / 2))
    }
  }

  private async pause(ms: number): Promise<void> {
    const { promise: woken, resolve } = Promise.withResolvers<void>()
    this.wake = resolve
    await Promise.race([woken, sleep(ms, undefined, { ref: false })])
  }

  /** Whether there is nothing left to tell. */
  private async round(): Promise<boolean> {
    try {
      await this.database.write((run) => forgetOver(run, this.revocations.lifeSeconds))
      if (!this.redis.isConfigured) return true
      const first = await this.database.read((run) => untold(run, MOST_AT_ONCE))
      this.waiting = first.length
      // Its return wakes us.
      if (!this.redis.isUp) return false
      if (this.toldAfter !== this.connected) await this.tellAllAgain()
      return this.toldAfter === this.connected && (await this.tell(first))
    } catch (error) {
      this.log.debug({ err: error }, 'revocations could not be told')
      return false
    }
  }

  private async tellAllAgain(): Promise<void> {
    const connection = this.connected
    let last: Ended | undefined
    for (let some = MOST_AT_ONCE; some === MOST_AT_ONCE;) {
      const ended = await this.database.read((run) =>
        endedSince(run, this.revocations.lifeSeconds, last, MOST_AT_ONCE),
      )
      if (ended.length > 0 && !(await this.revocations.announce(ended))) return
      some = ended.length
      last = ended.at(-1)
    }
    this.toldAfter = connection
  }

  /** Tells these, and what else there is when they are as many as one look sees. */
  private async tell(first: readonly Ended[]): Promise<boolean> {
    for (let some = first; ;) {
      if (!(await this.revocations.announce(some))) return false
      await this.revocations.forget(some)
      this.waiting = 0
      if (some.length < MOST_AT_ONCE) return true
      some = await this.database.read((run) => untold(run, MOST_AT_ONCE))
    }
  }
}
