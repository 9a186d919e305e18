import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readEnv } from './env.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-env-'))
afterAll(() => rmSync(folder, { recursive: true }))

const given = { DATABASE_URL: 'postgres://x@y/z', AUTH_SERVICE_URL: 'http://auth:3002' }
const SECRET = Buffer.alloc(32, 1).toString('base64')

function file(text: string): string {
  const path = join(folder, 'secrets')
  writeFileSync(path, text)
  return path
}

describe('WEBHOOK_SECRETS_FILE', () => {
  it('has one secret per line', () => {
    const path = file(`mtn=whsec_${SECRET}\nmtn=${SECRET}\nairtel=${SECRET}\n`)
    const { providerSecrets } = readEnv({ ...given, WEBHOOK_SECRETS_FILE: path })
    expect(providerSecrets.map(({ provider }) => provider)).toEqual(['mtn', 'mtn', 'airtel'])
  })

  it('is rejected by name if malformed, without its content', () => {
    const read = () => readEnv({ ...given, WEBHOOK_SECRETS_FILE: file('mtn=too-short') })
    expect(read).toThrow(/^WEBHOOK_SECRETS_FILE must be provider=secret/)
    expect(read).not.toThrow(/too-short/)
  })

  it('is optional: there are no provider secrets by default', () => {
    expect(readEnv(given).providerSecrets).toEqual([])
  })
})

it('has the defaults of the contract', () => {
  expect(readEnv(given)).toMatchObject({
    TOKEN_CACHE_TTL_MS: 60_000,
    TOKEN_CACHE_STALE_MS: 900_000,
    DB_WAIT_MS: 12_000,
    MODE: 'live',
  })
})
