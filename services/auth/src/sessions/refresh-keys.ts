import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { KeyRing } from '@malipo/kit/worker/key-ring'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type Env, ENV } from '../env.js'
import { type RefreshToken, successorOf } from './refresh-token.js'

/** The keys that derive the successors of refresh tokens, the same on all replicas. */
@Injectable()
export class RefreshKeys {
  private readonly ring: KeyRing

  constructor(
    @Inject(ENV) env: Pick<Env, 'REFRESH_KEYS_FILE'>,
    @Inject(LOG) log: Logger,
    @Inject(Registry) registry: Registry,
    @Inject(Workers) workers: Workers,
  ) {
    const options = {
      title: 'refresh keys',
      name: 'refresh_keys_poll',
      gauge: {
        name: 'refresh_keys_unreadable',
        help: '1 while REFRESH_KEYS_FILE is unreadable and the previous keys stay in use',
      },
      path: env.REFRESH_KEYS_FILE,
      variable: 'REFRESH_KEYS_FILE',
    }
    this.ring = new KeyRing(options, log, registry, workers)
  }

  /** The successor of a token by the first key. */
  derive(token: RefreshToken, salt: Buffer): RefreshToken {
    return successorOf(token, salt, this.ring.current)
  }

  /**
   * The successor that an earlier request derived, found by its hash; undefined if this replica does not
   * have the key, because the key was removed too early or has not reached this replica yet.
   */
  deriveAgain(token: RefreshToken, salt: Buffer, successorHash: Buffer): RefreshToken | undefined {
    const candidates = this.ring.keys.map((key) => successorOf(token, salt, key))
    return candidates.find(({ hashes }) => hashes.own.equals(successorHash))
  }
}
