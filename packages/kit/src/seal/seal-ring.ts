import type { Registry } from 'prom-client'
import { databaseNow } from '../postgres/clock.js'
import type { Logger } from '../telemetry/logger.js'
import { type KeyPoll, pollKeys } from '../worker/poll-keys.js'
import type { Workers } from '../worker/workers.js'
import { type Sealed, seal, unseal } from './seal.js'
import { parseSealKeys, readSealKeys, type SealKey, sealingKey, sealKeyTexts } from './seal-keys.js'

type SealRingOptions = Omit<KeyPoll, 'load'> & {
  /** What the log calls the keys. */
  readonly title: string
}

/** The seal keys of a folder, reloaded when it changes. */
export class SealRing {
  private keys: readonly SealKey[]
  private loaded = ''

  constructor(
    private readonly options: SealRingOptions,
    private readonly log: Logger,
    registry: Registry,
    workers: Workers,
  ) {
    const { path } = options
    this.keys = path ? readSealKeys(path) : []
    pollKeys(registry, workers, { ...options, load: (folder) => this.load(folder) })
  }

  /** Whether there are keys. Without them, nothing is sealed or opened. */
  get isConfigured(): boolean {
    return this.options.path !== undefined
  }

  /** Seals with the newest key. @throws SealKeysError if there is none */
  seal(subject: string, value: Buffer): Sealed {
    return seal(sealingKey(this.keys, databaseNow() / 1000), subject, value)
  }

  /** @throws UnsealError */
  unseal(subject: string, sealed: Sealed): Buffer {
    return unseal(this.keys, subject, sealed)
  }

  private async load(folder: string): Promise<void> {
    const previous = this.loaded
    // Remains so if this fails: keys that are readable again are logged.
    this.loaded = ''
    const texts = await sealKeyTexts(folder)
    const found = JSON.stringify([...texts])
    if (found !== previous) {
      this.keys = parseSealKeys(texts)
      this.log.info({ keys: this.keys.map(({ kid }) => kid) }, `${this.options.title} loaded`)
    }
    this.loaded = found
  }
}
