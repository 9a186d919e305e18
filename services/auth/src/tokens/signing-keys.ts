import type { KeyObject } from 'node:crypto'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { pollKeyFolder } from '@malipo/kit/worker/poll-keys'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type Env, ENV, jwtSecret } from '../env.js'
import {
  type Key,
  parseKeys,
  publicKeys,
  readKeyFolder,
  secretKey,
  signingKey,
  verifyingKey,
} from './key-set.js'

/** The keys of this replica: `JWT_SECRET`, a key set, or both while one replaces the other. */
@Injectable()
export class SigningKeys {
  private readonly secret: readonly Key[]
  private keys: readonly Key[]

  constructor(
    @Inject(ENV) env: Env,
    @Inject(LOG) log: Logger,
    @Inject(Registry) registry: Registry,
    @Inject(Workers) workers: Workers,
  ) {
    const secret = jwtSecret(env)
    this.secret = secret === undefined ? [] : [secretKey(secret)]
    const folder = env.JWT_KEYS_DIR
    this.keys = [...this.secret, ...(folder ? readKeyFolder(folder) : [])]
    const poll = {
      name: 'signing_keys_poll',
      gauge: {
        name: 'signing_keys_unreadable',
        help: '1 while the key set is unreadable and the previous keys stay in use',
      },
      path: folder,
      variable: 'JWT_KEYS_DIR',
    }
    pollKeyFolder(registry, workers, poll, (files) => {
      this.keys = [...this.secret, ...parseKeys(files)]
      log.info({ keys: this.keys.map(({ kid }) => kid ?? 'JWT_SECRET') }, 'signing keys loaded')
    })
  }

  /** The key that signs tokens now. */
  current(): Key {
    return signingKey(this.keys, databaseNow() / 1000)
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
}
