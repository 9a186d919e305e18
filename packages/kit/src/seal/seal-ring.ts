import type { Registry } from 'prom-client'
import { databaseNow } from '../postgres/clock.js'
import type { Logger } from '../telemetry/logger.js'
import { type KeyPoll, pollKeyFolder } from '../worker/poll-keys.js'
import type { Workers } from '../worker/workers.js'
import { type Sealed, seal, unseal } from './seal.js'
import { parseSealKeys, readSealKeys, type SealKey, sealingKey } from './seal-keys.js'

type SealRingOptions = Omit<KeyPoll, 'load'> & {
  /** What the log calls the keys. */
  readonly title: string
}

/** The seal keys of a folder, reloaded when it changes. */
export class SealRing {
  private keys: readonly SealKey[]

  constructor(
    private readonly options: SealRingOptions,
    log: Logger,
    registry: Registry,
    workers: Workers,
  ) {
    const { path } = options
    this.keys = path ? readSealKeys(path) : []
    pollKeyFolder(registry, workers, options, (files) => {
      this.keys = parseSealKeys(files)
      log.info({ keys: this.keys.map(({ kid }) => kid) }, `${options.title} loaded`)
    })
  }

  /** Whether there are keys. Without them, nothing is sealed or opened. */
  get isConfigured(): boolean {
    return this.options.path !== undefined
  }

  /** Seals with the newest key. @throws KeyFolderError if there is none */
  seal(subject: string, value: Buffer): Sealed {
    return seal(sealingKey(this.keys, databaseNow() / 1000), subject, value)
  }

  /** @throws UnsealError */
  unseal(subject: string, sealed: Sealed): Buffer {
    return unseal(this.keys, subject, sealed)
  }
}
