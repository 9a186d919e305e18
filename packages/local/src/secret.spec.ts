import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { persistentSecret, randomHex, randomWebhookSecret, sealKeysFolder } from './secret.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-secret-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('stores a secret that only its owner can read', () => {
  const path = join(folder, 'new/jwt')
  const secret = persistentSecret(path)
  expect(persistentSecret(path)).toBe(secret)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700)
})

it('generates a different secret each time', () => {
  expect(randomHex()).toMatch(/^[0-9a-f]{64}$/)
  expect(randomHex()).not.toBe(randomHex())
  expect(randomWebhookSecret()).toMatch(/^whsec_[\w+/]{43}=$/)
})

it('creates a folder with a symmetric key once', () => {
  const path = join(folder, 'seal')
  expect(sealKeysFolder(path)).toBe(path)
  const read = () => readFileSync(join(path, 'first.json'), 'utf8')
  const text = read()
  const { k, ...key } = JSON.parse(text) as { k: string }
  expect(key).toEqual({ kty: 'oct', kid: 'first', nbf: 0 })
  expect(Buffer.from(k, 'base64url')).toHaveLength(32)
  sealKeysFolder(path)
  expect(read()).toBe(text)
})
