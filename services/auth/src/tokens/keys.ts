import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { Gauge, Registry } from 'prom-client'
import { type AuthEnv, ENV, jwtSecret } from '../env.js'
import { keyTexts, readKeyFolder } from './key-folder.js'
import { type Key, parseKeys, publicKeys, secretKey, signingKey, verifyingKey } from './key-set.js'

/** A mounted Secret changes without an event that could be relied on, so it is looked at. */
const LOOK_EVERY_MS = 2_000

/**
 * The keys of this replica: the secret, a key set, or both, so that one can follow the other. A set is
 * read again when its files change; a change that can't be read leaves the keys as they were.
 */
@Injectable()
export class Keys implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly secret: readonly Key[]
  private readonly folder: string | undefined
  private keys: readonly Key[]
  private lastSeen = ''
  private isUnreadable = false
  private timer: NodeJS.Timeout | undefined
  private readonly unreadable: Gauge

  constructor(
    @Inject(ENV) env: AuthEnv,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
  ) {
    const secret = jwtSecret(env)
    this.secret = secret === undefined ? [] : [secretKey(secret)]
    this.folder = env.JWT_KEYS_DIR
    this.keys = [...this.secret, ...(this.folder ? readKeyFolder(this.folder) : [])]
    this.unreadable = new Gauge({
      name: 'signing_keys_unreadable',
      help: '1 while the key set can’t be read, and the keys that were there before are used',
      registers: [registry],
    })
  }

  onApplicationBootstrap() {
    if (this.folder) this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref()
  }

  onModuleDestroy() {
    clearInterval(this.timer)
  }

  toSign(): Key {
    return signingKey(this.keys, Date.now() / 1000)
  }

  /** undefined when the token names a key that is not ours. */
  toVerify(token: string): Key | undefined {
    return verifyingKey(this.keys, token)
  }

  toPublish() {
    return publicKeys(this.keys)
  }

  private async look(): Promise<void> {
    try {
      const texts = await keyTexts(this.folder ?? '')
      const seen = JSON.stringify([...texts])
      if (seen === this.lastSeen) return
      this.keys = [...this.secret, ...parseKeys(texts)]
      this.lastSeen = seen
      this.log.info({ keys: this.keys.map(({ kid }) => kid ?? 'the secret') }, 'keys are read')
      this.isUnreadable = false
    } catch (error) {
      // Told once, not every two seconds.
      if (!this.isUnreadable) {
        this.log.error({ err: error }, 'JWT_KEYS_DIR can’t be read: the keys stay as they were')
      }
      this.lastSeen = ''
      this.isUnreadable = true
    }
    this.unreadable.set(this.isUnreadable ? 1 : 0)
  }
}
