import type { KeyObject } from 'node:crypto'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Gauge, Registry } from 'prom-client'
import { type Env, ENV, jwtSecret } from '../env.js'
import { keyTexts, readKeyFolder } from './key-folder.js'
import { type Key, parseKeys, publicKeys, secretKey, signingKey, verifyingKey } from './key-set.js'

/** The keys of this replica: `JWT_SECRET`, a key set, or both while one replaces the other. */
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
    // File events are unreliable for a mounted Secret, so the folder is polled.
    workers.add({ name: 'signing_keys_poll', intervalMs: 2_000, run: () => this.poll(folder) })
  }

  /** The key that signs tokens now. */
  current(): Key {
    return signingKey(this.keys, Date.now() / 1000)
  }

  /** The key that verifies a token. @throws Error if its header is invalid or matches no key */
  verifying(token: string): KeyObject {
    const key = verifyingKey(this.keys, token)
    if (!key) throw new Error('the header of the token is invalid or matches no key')
    return key.verifying
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
      const kids = this.keys.map(({ kid }) => kid ?? 'JWT_SECRET')
      this.log.info({ keys: kids }, 'signing keys loaded')
      this.unreadable.set(0)
    } catch (error) {
      this.loaded = ''
      this.unreadable.set(1)
      const message = 'JWT_KEYS_DIR is unreadable: the previous keys stay in use'
      throw new Error(message, { cause: error })
    }
  }
}
