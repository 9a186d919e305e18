import { createHmac, hash } from 'node:crypto'

/**
 * A device token identifies a client that has logged in to an account before. It consists of the id of the
 * session that issued it (16 bytes) and a secret (32 bytes). The secret is derived from the first part of the
 * session's refresh tokens, which is random and which the database does not store. So each refresh returns
 * the same device token, while the database stores only its hash.
 */
export interface DeviceToken {
  readonly sid: string
  /** SHA-256 hash of the secret. */
  readonly secretHash: Buffer
}

/** How long a device token is valid after the last login or refresh of its session. */
export const DEVICE_TOKEN_DAYS = 90

/** 48 bytes in base64url. */
const TOKEN = /^[\w-]{64}$/
const ID_BYTES = 16

/** The device token of a session; `sessionPart` is the first part of its refresh tokens. */
export function deviceTokenOf(sid: string, sessionPart: string): string {
  const id = Buffer.from(sid.replaceAll('-', ''), 'hex')
  return Buffer.concat([id, secretOf(sessionPart)]).toString('base64url')
}

/** The hash of the device token's secret, which the session stores. */
export function deviceTokenHash(sessionPart: string): Buffer {
  return hash('sha256', secretOf(sessionPart), 'buffer')
}

/** undefined for a malformed token. */
export function parseDeviceToken(text: string): DeviceToken | undefined {
  if (!TOKEN.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  const id = bytes.subarray(0, ID_BYTES).toString('hex')
  const sid = id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return { sid, secretHash: hash('sha256', bytes.subarray(ID_BYTES), 'buffer') }
}

function secretOf(sessionPart: string): Buffer {
  return createHmac('sha256', sessionPart).update('device token').digest()
}
