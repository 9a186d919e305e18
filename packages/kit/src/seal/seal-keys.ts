import { createSecretKey, type KeyObject } from 'node:crypto'
import {
  checkKeyFolder,
  type InvalidKey,
  type KeyFiles,
  newestKey,
  parseKeyFiles,
  readKeyFiles,
  startOf,
  type UncheckedJwk,
} from '../config/key-folder.js'

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

/** The length of a key of AES-256. */
const KEY_BYTES = 32

/** Parses key files with symmetric JWKs (RFC 7518, section 6.4). @throws KeyFolderError for an invalid set */
export function parseSealKeys(files: KeyFiles): SealKey[] {
  return parseKeyFiles(files, parseKey)
}

function parseKey(kid: string, jwk: UncheckedJwk | undefined, invalid: InvalidKey): SealKey {
  if (jwk?.['kty'] !== 'oct' || typeof jwk['k'] !== 'string') {
    throw invalid('it is not a symmetric JWK')
  }
  const sealsFrom = startOf(kid, jwk, invalid)
  const bytes = Buffer.from(jwk['k'], 'base64url')
  if (bytes.length !== KEY_BYTES || bytes.toString('base64url') !== jwk['k']) {
    throw invalid(`its k is not ${KEY_BYTES} bytes in base64url`)
  }
  return { kid, sealsFrom, key: createSecretKey(bytes) }
}

/** The key that seals now. */
export function sealingKey(keys: readonly SealKey[], nowSeconds: number): SealKey {
  return newestKey(keys, ({ sealsFrom }) => sealsFrom, nowSeconds)
}

/** @throws KeyFolderError if the key set of the folder is invalid */
export function readSealKeys(folder: string): SealKey[] {
  return parseSealKeys(readKeyFiles(folder))
}

/** Checks the key folder that a variable names, if it is set: it has valid keys. */
export function checkSealKeys<Name extends string>(name: Name) {
  return checkKeyFolder(name, readSealKeys)
}
