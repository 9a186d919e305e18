import { createSecretKey, type KeyObject } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Check } from '../config/env.js'

/**
 * A key that seals values at rest. It seals from `sealsFrom`, when every replica has it. Of the keys that have started
 * to seal, the latest seals; all keys open what they have sealed.
 */
export interface SealKey {
  readonly kid: string
  /** Unix seconds. */
  readonly sealsFrom: number
  readonly key: KeyObject
}

/** An invalid key set. The message is for operators and contains no key material. */
export class SealKeysError extends Error {
  override readonly name = 'SealKeysError'
}

const MAX_KEYS = 16
/** The length of a key of AES-256. */
const KEY_BYTES = 32

/** Whether a file is named `<kid>.json`, which is also a valid name in a Kubernetes Secret. */
function isKeyFile(name: string): boolean {
  return /^[\w-]{1,64}\.json$/.test(name)
}

/**
 * Parses key files by name. Each contains a symmetric JWK (RFC 7517; RFC 7518, section 6.4) with `kid`, as in the file
 * name, and `nbf`, the time from which the key seals. Other files are ignored.
 *
 * @throws SealKeysError for an invalid set
 */
export function parseSealKeys(files: ReadonlyMap<string, string>): SealKey[] {
  const keys = [...files]
    .filter(([name]) => isKeyFile(name))
    .map(([name, text]) => parseKey(basename(name, '.json'), text))
  if (keys.length === 0) throw new SealKeysError('has no key file, such as a.json')
  if (keys.length > MAX_KEYS) throw new SealKeysError(`has more than ${MAX_KEYS} keys`)
  return keys
}

function parseKey(kid: string, text: string): SealKey {
  const file = parseJson(text)
  const invalid = (reason: string) => new SealKeysError(`has an invalid ${kid}.json: ${reason}`)
  if (file?.['kty'] !== 'oct' || typeof file['k'] !== 'string') {
    throw invalid('it is not a symmetric JWK')
  }
  if (file['kid'] !== kid) throw invalid('its kid differs from the file name')
  const { nbf: sealsFrom, k } = file
  if (!isWholeNumber(sealsFrom)) throw invalid('its nbf is not a time in seconds')
  const bytes = Buffer.from(k, 'base64url')
  if (bytes.length !== KEY_BYTES || bytes.toString('base64url') !== k) {
    throw invalid(`its k is not ${KEY_BYTES} bytes in base64url`)
  }
  return { kid, sealsFrom, key: createSecretKey(bytes) }
}

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

/** undefined for JSON that is malformed or has no members. */
function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    return (JSON.parse(text) ?? undefined) as Record<string, unknown> | undefined
  } catch {
    return undefined
  }
}

/** The key that seals now: the newest whose start time has passed, or the first if there is none. */
export function sealingKey(keys: readonly SealKey[], nowSeconds: number): SealKey {
  const inOrder = keys.toSorted((a, b) => a.sealsFrom - b.sealsFrom)
  const key = inOrder.findLast(({ sealsFrom }) => sealsFrom <= nowSeconds) ?? inOrder[0]
  if (!key) throw new SealKeysError('has no key')
  return key
}

/** Reads the key set of a folder, which may be a mounted Secret. @throws SealKeysError if it is invalid */
export function readSealKeys(folder: string): SealKey[] {
  const texts = keyFiles(folder).map((name) => [name, textOf(folder, name)] as const)
  return parseSealKeys(new Map(texts))
}

function keyFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isKeyFile)
  } catch {
    throw new SealKeysError('must name a readable folder')
  }
}

function textOf(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    throw new SealKeysError(`has an unreadable ${name}`)
  }
}

/** The contents of the key files by file name, sorted by file name. */
export async function sealKeyTexts(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter(isKeyFile).toSorted()
  const texts = new Map<string, string>()
  for (const name of names) texts.set(name, await readFile(join(folder, name), 'utf8'))
  return texts
}

/** Checks the key folder that a variable names, if it is set: it has valid keys. */
export function checkSealKeys<Name extends string>(
  name: Name,
): Check<Record<Name, string | undefined>> {
  return (env) => {
    const folder = env[name]
    try {
      if (folder) readSealKeys(folder)
      return {}
    } catch (error) {
      if (error instanceof SealKeysError) return { [name]: error.message }
      throw error
    }
  }
}
