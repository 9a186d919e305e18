import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Check } from './env.js'

/**
 * Key sets in folders, which may be mounted Secrets: a file `<kid>.json` for each key, a JWK (RFC 7517) with `kid`, as in
 * the file name, and `nbf`, the time from which the key is used. Other files are ignored.
 */

/** An invalid key set. The message is for operators and contains no key material. */
export class KeyFolderError extends Error {
  override readonly name = 'KeyFolderError'
}

const MAX_KEYS = 16

/** The contents of key files by file name. */
export type KeyFiles = ReadonlyMap<string, string>

/** A JWK of which nothing has been checked. */
export type UncheckedJwk = Readonly<Record<string, unknown>>

/** Why a key is invalid, for the end of a message. */
export type InvalidKey = (reason: string) => KeyFolderError

/** Whether a file is named `<kid>.json`, which is also a valid name in a Kubernetes Secret. */
function isKeyFile(name: string): boolean {
  return /^[\w-]{1,64}\.json$/.test(name)
}

/**
 * Parses the keys of a set.
 *
 * @param parse parses a JWK, which is undefined if the file is no JSON or is null, or throws what `invalid` returns
 * @throws KeyFolderError for an invalid set
 */
export function parseKeyFiles<Key>(
  files: KeyFiles,
  parse: (kid: string, jwk: UncheckedJwk | undefined, invalid: InvalidKey) => Key,
): Key[] {
  const keys = [...files]
    .filter(([name]) => isKeyFile(name))
    .map(([name, text]) => {
      const invalid = (reason: string) => new KeyFolderError(`has an invalid ${name}: ${reason}`)
      return parse(basename(name, '.json'), parseJson(text), invalid)
    })
  if (keys.length === 0) throw new KeyFolderError('has no key file, such as a.json')
  if (keys.length > MAX_KEYS) throw new KeyFolderError(`has more than ${MAX_KEYS} keys`)
  return keys
}

function parseJson(text: string): UncheckedJwk | undefined {
  try {
    return (JSON.parse(text) ?? undefined) as UncheckedJwk | undefined
  } catch {
    return undefined
  }
}

/** The time, in Unix seconds, from which a key of this name is used. @throws what `invalid` returns */
export function startOf(kid: string, jwk: UncheckedJwk, invalid: InvalidKey): number {
  if (jwk['kid'] !== kid) throw invalid('its kid differs from the file name')
  const { nbf } = jwk
  if (!Number.isSafeInteger(nbf)) throw invalid('its nbf is not a time in seconds')
  return nbf as number
}

/** The key that is used now: the newest whose start time has passed, or the first if there is none. */
export function newestKey<Key>(
  keys: readonly Key[],
  startsAt: (key: Key) => number,
  nowSeconds: number,
): Key {
  const inOrder = keys.toSorted((a, b) => startsAt(a) - startsAt(b))
  const key = inOrder.findLast((each) => startsAt(each) <= nowSeconds) ?? inOrder[0]
  if (!key) throw new KeyFolderError('has no key')
  return key
}

/** The names of the key files of a folder. @throws KeyFolderError if it is unreadable */
export function keyFileNames(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isKeyFile)
  } catch {
    throw new KeyFolderError('must name a readable folder')
  }
}

/** @throws KeyFolderError if the folder or a key file is unreadable */
export function readKeyFiles(folder: string): KeyFiles {
  return new Map(keyFileNames(folder).map((name) => [name, textOf(folder, name)]))
}

function textOf(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    throw new KeyFolderError(`has an unreadable ${name}`)
  }
}

/** As `readKeyFiles`, sorted by file name, and with the errors of the file system. */
export async function loadKeyFiles(folder: string): Promise<KeyFiles> {
  const names = (await readdir(folder)).filter(isKeyFile).toSorted()
  const texts = new Map<string, string>()
  for (const name of names) texts.set(name, await readFile(join(folder, name), 'utf8'))
  return texts
}

/** Checks the folder that a variable names, if it is set: `read` reads its keys. */
export function checkKeyFolder<Name extends string>(
  name: Name,
  read: (folder: string) => unknown,
): Check<Record<Name, string | undefined>> {
  return (env) => {
    const folder = env[name]
    try {
      if (folder) read(folder)
      return {}
    } catch (error) {
      if (error instanceof KeyFolderError) return { [name]: error.message }
      throw error
    }
  }
}
