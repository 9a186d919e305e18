import { hash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * The format of API keys, which all services recognise: `mlp_live_` or `mlp_test_`, 30 random characters of base62
 * (178 bits), and 6 characters with the CRC-32 of everything before. The prefix is for secret scanners. The checksum
 * is no protection: it rejects typing errors and noise without a look-up.
 */

/** The mode of the installation that issued a key. */
type Mode = 'sandbox' | 'live'

const PREFIXES = { live: 'mlp_live_', sandbox: 'mlp_test_' } as const satisfies Record<Mode, string>
const RANDOM_LENGTH = 30
const CHECKSUM_LENGTH = 6
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const API_KEY = /^mlp_(live|test)_[0-9A-Za-z]{36}$/

/** @param randomIndex returns a random number below its argument */
export function newApiKey(mode: Mode, randomIndex: (max: number) => number = randomInt): string {
  const random = Array.from({ length: RANDOM_LENGTH }, () => BASE62[randomIndex(BASE62.length)])
  const text = PREFIXES[mode] + random.join('')
  return text + checksumOf(text)
}

/** The mode of an API key; undefined for any other string, also for a key with a wrong checksum. */
export function apiKeyMode(text: string): Mode | undefined {
  const match = API_KEY.exec(text)
  if (!match || !text.endsWith(checksumOf(text.slice(0, -CHECKSUM_LENGTH)))) return undefined
  return match[1] === 'live' ? 'live' : 'sandbox'
}

/** The SHA-256 hash of a key, as stored. 178 random bits need no slow hash. */
export function apiKeyHash(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

/**
 * The id of the key with this hash: a UUIDv8 of its first 122 bits (RFC 9562, section 5.8). Any holder of a key can
 * compute the id, so that one read of a cache finds both what is known of the key and whether it is revoked.
 */
export function apiKeyId(sha256: Buffer): string {
  const bytes = Buffer.from(sha256.subarray(0, 16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Identifies a key for people: its prefix, and the first and last four characters of the rest. */
export function apiKeyHint(text: string): string {
  const start = text.indexOf('_', 4) + 5
  return `${text.slice(0, start)}…${text.slice(-4)}`
}

function checksumOf(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = (BASE62[rest % BASE62.length] ?? '') + digits
    rest = Math.floor(rest / BASE62.length)
  }
  return digits
}
