import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readEnv, readVerificationEnv } from './env.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-env-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string, name = 'secrets'): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const SECRET = Buffer.alloc(32, 1).toString('base64')
const given = {
  DATABASE_URL: 'postgres://x@y/z',
  AUTH_SERVICE_URL: 'http://auth:3002',
  TOKEN_CACHE_KEYS_FILE: file(SECRET, 'cache-keys'),
  EGRESS_DENY_CIDRS: '10.244.0.0/16,fd00:10:244::/56',
}

describe('WEBHOOK_SECRETS_FILE', () => {
  it('has one secret per line', () => {
    const path = file(`manual=whsec_${SECRET}\nmanual=${SECRET}\n`)
    const { providerSecrets } = readEnv({ ...given, WEBHOOK_SECRETS_FILE: path })
    expect(providerSecrets.map(({ provider }) => provider)).toEqual(['manual', 'manual'])
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

describe('WEBHOOK_RETIRED_SECRETS_FILE', () => {
  const OLD = Buffer.alloc(32, 2).toString('base64')
  const readRetired = (text: string) => {
    const env = { WEBHOOK_SECRETS: `manual=${SECRET}`, WEBHOOK_RETIRED_SECRETS_FILE: file(text) }
    return {
      service: () => readEnv({ ...given, ...env }),
      verify: () => readVerificationEnv({ ...given, ...env }),
    }
  }

  it('has secrets that only verify stored webhooks', () => {
    const { service, verify } = readRetired(`mtn=whsec_${OLD}\nairtel=${OLD}\n`)
    expect(service().providerSecrets.map(({ provider }) => provider)).toEqual(['manual'])
    expect(verify().active).toHaveLength(1)
    expect(verify().retired.map(({ provider }) => provider)).toEqual(['mtn', 'airtel'])
  })

  it.each([
    ['malformed', 'mtn=too-short', /^WEBHOOK_RETIRED_SECRETS_FILE must be provider=secret/],
    ['an active secret', `mtn=whsec_${SECRET}`, /^WEBHOOK_RETIRED_SECRETS_FILE must not list/],
  ])('is rejected by name if it is %s, without its content', (_, text, message) => {
    for (const read of Object.values(readRetired(text))) {
      expect(read).toThrow(message)
      expect(read).not.toThrow(text.slice(4))
    }
  })

  it('is optional', () => {
    expect(readVerificationEnv(given)).toMatchObject({ active: [], retired: [] })
  })
})

describe('TOKEN_CACHE_KEYS_FILE', () => {
  const read = (changes: Record<string, string | undefined>) => () =>
    readEnv({ ...given, ...changes })

  it.each([
    [{ TOKEN_CACHE_KEYS_FILE: undefined }, 'is required when MODE is live'],
    [{ TOKEN_CACHE_KEYS_FILE: '/nowhere' }, 'must name a file that can be read'],
    [
      { TOKEN_CACHE_KEYS_FILE: file('short', 'short') },
      'must have keys of at least 32 bytes (key 1)',
    ],
  ])('rejects %j', (changes, message) => {
    expect(read(changes)).toThrow(`TOKEN_CACHE_KEYS_FILE ${message}`)
  })

  it('is optional in sandbox', () => {
    expect(read({ MODE: 'sandbox', TOKEN_CACHE_KEYS_FILE: undefined })).not.toThrow()
  })
})

describe('CALLBACK_KEYS_FILE', () => {
  const read = (path: string | undefined) => () => readEnv({ ...given, CALLBACK_KEYS_FILE: path })

  it.each([
    ['/nowhere', 'must name a file that can be read'],
    [file('', 'no-key'), 'has no key'],
    [file('short', 'short-callback-key'), 'must have keys of at least 32 bytes (key 1)'],
  ])('rejects %s', (path, message) => {
    expect(read(path)).toThrow(`CALLBACK_KEYS_FILE ${message}`)
  })

  it('is optional', () => {
    expect(read(undefined)).not.toThrow()
    expect(read(file(SECRET, 'callback-keys'))).not.toThrow()
  })
})

describe('WEBHOOK_ENCRYPTION_KEYS_DIR', () => {
  const read = (path: string | undefined) => () =>
    readEnv({ ...given, WEBHOOK_ENCRYPTION_KEYS_DIR: path })

  it.each([
    ['/nowhere', 'must name a readable folder'],
    [mkdtempSync(join(tmpdir(), 'malipo-no-keys-')), 'has no key file, such as a.json'],
  ])('rejects %s', (path, message) => {
    expect(read(path)).toThrow(`WEBHOOK_ENCRYPTION_KEYS_DIR ${message}`)
  })

  it('is optional', () => {
    expect(read(undefined)).not.toThrow()
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
