import { LOG } from '@malipo/kit/kit.module'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
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
export class SigningKeys {
  private readonly secret: readonly Key[]
  private keys: readonly Key[]
  private loaded = ''
  private readonly unreadable: Gauge

  constructor(
    @Inject(ENV) env: Env,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
    @Inject(Workers) workers: Workers,
  ) {
    const secret = jwtSecret(env)
    this.secret = secret === undefined ? [] : [secretKey(secret)]
    const folder = env.JWT_KEYS_DIR
    this.keys = [...this.secret, ...(folder ? readKeyFolder(folder) : [])]
    this.unreadable = new Gauge({
      name: 'signing_keys_unreadable',
      help: '1 while the key set is unreadable and the previous keys stay in use',
      registers: [registry],
    })
    if (!folder) return
    workers.add({
      name: 'signing_keys_poll',
      intervalMs: POLL_INTERVAL_MS,
      run: () => this.poll(folder),
    })
  }

  /** The key that signs now. */
  current(): Key {
    return signingKey(this.keys, Date.now() / 1000)
  }

  /** The key with this `kid`; undefined means the secret. @throws KeySetError */
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

  private async poll(folder: string): Promise<void> {
    try {
      const texts = await keyTexts(folder)
      const found = JSON.stringify([...texts])
      if (found === this.loaded) return
      this.keys = [...this.secret, ...parseKeys(texts)]
      this.loaded = found
      this.log.info(
        { keys: this.keys.map(({ kid }) => kid ?? 'JWT_SECRET') },
        'signing keys loaded',
      )
      this.unreadable.set(0)
    } catch (error) {
      this.loaded = ''
      this.unreadable.set(1)
      const message = 'JWT_KEYS_DIR is unreadable: the previous keys stay in use'
      throw new Error(message, { cause: error })
    }
  }
}
