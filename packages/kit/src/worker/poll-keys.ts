import { Gauge, type Registry } from 'prom-client'
import { type KeyFiles, loadKeyFiles } from '../config/key-folder.js'
import type { Workers } from './workers.js'

export interface KeyPoll {
  /** The worker. */
  readonly name: string
  /** 1 while the keys are unreadable. */
  readonly gauge: { readonly name: string; readonly help: string }
  /** Names the mounted Secret; undefined if keys are not read from one. */
  readonly path: string | undefined
  /** The environment variable that contains the path. */
  readonly variable: string
  /** Reads the keys, and replaces those in use if they have changed. */
  readonly load: (path: string) => Promise<void>
}

/** Polls keys in a mounted Secret, whose file events are unreliable. Unreadable keys replace no others. */
export function pollKeys(registry: Registry, workers: Workers, poll: KeyPoll) {
  const unreadable = new Gauge({ ...poll.gauge, registers: [registry] })
  const { path } = poll
  if (path === undefined) return
  const run = async () => {
    try {
      await poll.load(path)
      unreadable.set(0)
    } catch (error) {
      unreadable.set(1)
      const message = `${poll.variable} is unreadable: the previous keys stay in use`
      throw new Error(message, { cause: error })
    }
  }
  workers.add({ name: poll.name, intervalMs: 2_000, run })
}

/** Polls a folder of key files. `replace` gets those of a folder that has changed, or is readable again. */
export function pollKeyFolder(
  registry: Registry,
  workers: Workers,
  poll: Omit<KeyPoll, 'load'>,
  replace: (files: KeyFiles) => void,
) {
  let loaded = ''
  const load = async (folder: string) => {
    const previous = loaded
    // Remains so if this fails: keys that are readable again are logged.
    loaded = ''
    const files = await loadKeyFiles(folder)
    const found = JSON.stringify([...files])
    if (found !== previous) replace(files)
    loaded = found
  }
  pollKeys(registry, workers, { ...poll, load })
}
