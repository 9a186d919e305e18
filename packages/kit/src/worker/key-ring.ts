import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Registry } from 'prom-client'
import { parseKeys, readKeyFile } from '../config/key-file.js'
import type { Logger } from '../telemetry/logger.js'
import { type KeyPoll, pollKeys } from './poll-keys.js'
import type { Workers } from './workers.js'

type KeyRingOptions = Omit<KeyPoll, 'load'> & {
  /** What the log calls the keys. */
  readonly title: string
  /** Called when other keys have replaced those in use. */
  readonly onChange?: () => void
}

/** The HMAC keys of a file, reloaded when it changes. Without a file, each process has one random key. */
export class KeyRing {
  private loaded: readonly Buffer[]

  constructor(
    private readonly options: KeyRingOptions,
    private readonly log: Logger,
    registry: Registry,
    workers: Workers,
  ) {
    const { path } = options
    this.loaded = path ? readKeyFile(path) : [randomBytes(32)]
    const load = async (file: string) => this.load(parseKeys(await readFile(file, 'utf8')))
    pollKeys(registry, workers, { ...options, load })
  }

  /** The first key is the current one. */
  get keys(): readonly Buffer[] {
    return this.loaded
  }

  get current(): Buffer {
    const [key] = this.loaded
    if (!key) throw new Error(`there are no ${this.options.title}`)
    return key
  }

  private load(keys: readonly Buffer[]) {
    if (isDeepStrictEqual(keys, this.loaded)) return
    this.loaded = keys
    this.log.info({ count: keys.length }, `${this.options.title} loaded`)
    this.options.onChange?.()
  }
}
