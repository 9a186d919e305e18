import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { Gauge, Registry } from 'prom-client'
import { type Env, ENV, jwtSecret } from '../env.js'
import { keyTexts, readKeyFolder } from './key-folder.js'
import {
  type Key,
  KeySetError,
  parseKeys,
  publicKeys,
  secretKey,
  signingKey,
  verifyingKey,
} from './key-set.js'

/** File events are unreliable for a mounted Secret, so the folder is polled. */
const POLL_INTERVAL_MS = 2_000

/**
 * The keys of this replica: the secret, a key set, or both, so that one can replace the other. The key set is
 * reloaded when its files change; an invalid change keeps the previous keys.
 */
@Injectable()
export class SigningKeys implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly secret: readonly Key[]
  private readonly folder: string | undefined
  private keys: readonly Key[]
  private loaded = ''
  private isUnreadable = false
  private timer: NodeJS.Timeout | undefined
  private readonly unreadable: Gauge

  constructor(
    @Inject(ENV) env: Env,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
  ) {
    const secret = jwtSecret(env)
    this.secret = secret === undefined ? [] : [secretKey(secret)]
    this.folder = env.JWT_KEYS_DIR
    this.keys = [...this.secret, ...(this.folder ? readKeyFolder(this.folder) : [])]
    this.unreadable = new Gauge({
      name: 'signing_keys_unreadable',
      help: '1 while the key set is unreadable and the previous keys stay in use',
      registers: [registry],
    })
  }

  onApplicationBootstrap() {
    if (this.folder) this.timer = setInterval(() => void this.poll(), POLL_INTERVAL_MS).unref()
  }

  onModuleDestroy() {
    clearInterval(this.timer)
  }

  /** The key that signs now. */
  current(): Key {
    return signingKey(this.keys, Date.now() / 1000)
  }

  /** The key with this `kid`; undefined is the secret. @throws KeySetError */
  byId(kid: string | undefined): Key {
    const key = this.keys.find((each) => each.kid === kid)
    if (!key) throw new KeySetError(`has no key ${kid}`)
    return key
  }

  /** The key that verifies a token; undefined if the token names none of ours. */
  verifying(token: string): Key | undefined {
    return verifyingKey(this.keys, token)
  }

  publicKeys() {
    return publicKeys(this.keys)
  }

  private async poll(): Promise<void> {
    try {
      const texts = await keyTexts(this.folder ?? '')
      const found = JSON.stringify([...texts])
      if (found === this.loaded) return
      this.keys = [...this.secret, ...parseKeys(texts)]
      this.loaded = found
      this.log.info(
        { keys: this.keys.map(({ kid }) => kid ?? 'JWT_SECRET') },
        'signing keys loaded',
      )
      this.isUnreadable = false
    } catch (error) {
      // Logged once, not on every poll.
      if (!this.isUnreadable) {
        this.log.error({ err: error }, 'JWT_KEYS_DIR is unreadable: the previous keys stay in use')
      }
      this.loaded = ''
      this.isUnreadable = true
    }
    this.unreadable.set(this.isUnreadable ? 1 : 0)
  }
}
