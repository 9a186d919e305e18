import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type Env, ENV } from '../env.js'
import { pollKeys } from '../poll-keys.js'
import { parseRefreshKeys, readRefreshKeys } from './refresh-key-file.js'
import { type RefreshToken, successorOf } from './refresh-token.js'

/** The keys that derive the successors of refresh tokens, the same on all replicas. */
@Injectable()
export class RefreshKeys {
  private keys: readonly Buffer[]

  constructor(
    @Inject(ENV) env: Pick<Env, 'REFRESH_KEYS_FILE'>,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
    @Inject(Workers) workers: Workers,
  ) {
    const path = env.REFRESH_KEYS_FILE
    this.keys = path ? readRefreshKeys(path) : [randomBytes(32)]
    pollKeys(registry, workers, {
      name: 'refresh_keys_poll',
      gauge: {
        name: 'refresh_keys_unreadable',
        help: '1 while REFRESH_KEYS_FILE is unreadable and the previous keys stay in use',
      },
      path,
      variable: 'REFRESH_KEYS_FILE',
      load: async (file) => this.load(parseRefreshKeys(await readFile(file, 'utf8'))),
    })
  }

  /** The successor of a token by the first key. */
  derive(token: RefreshToken, salt: Buffer): RefreshToken {
    const [key] = this.keys
    if (!key) throw new Error('there is no refresh key')
    return successorOf(token, salt, key)
  }

  /**
   * The successor that an earlier request derived, found by its hash; undefined if this replica does not
   * have the key, because the key was removed too early or has not reached this replica yet.
   */
  deriveAgain(token: RefreshToken, salt: Buffer, successorHash: Buffer): RefreshToken | undefined {
    const candidates = this.keys.map((key) => successorOf(token, salt, key))
    return candidates.find(({ hashes }) => hashes.own.equals(successorHash))
  }

  private load(keys: readonly Buffer[]) {
    if (isDeepStrictEqual(keys, this.keys)) return
    this.keys = keys
    this.log.info({ count: keys.length }, 'refresh keys loaded')
  }
}
