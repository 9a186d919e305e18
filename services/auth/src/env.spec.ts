import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigurationError } from '@malipo/kit/config/env'
import { afterAll, describe, expect, it } from 'vitest'
import { jwtSecret, readEnv } from './env.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-auth-env-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileWith(text: string): string {
  const path = join(folder, String(Math.random()))
  writeFileSync(path, text)
  return path
}

const SECRET = 's'.repeat(32)
const GOOD = {
  DATABASE_URL: 'postgres://auth@db/auth',
  JWT_SECRET: SECRET,
  REFRESH_KEYS_FILE: fileWith(SECRET),
}

function linesOf(change: Record<string, string | undefined>): readonly string[] {
  try {
    readEnv({ ...GOOD, ...change })
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.lines
    throw error
  }
}

describe('the environment', () => {
  it('defaults to live', () => {
    expect(readEnv(GOOD)).toMatchObject({
      PORT: 3002,
      MODE: 'live',
      JWT_EXPIRES_IN: 900,
      BCRYPT_COST: 12,
      DEFAULT_REGION: 'UG',
      DB_WAIT_MS: 12_000,
      REFRESH_GRACE_MS: 60_000,
      SESSIONS_PER_USER: 20,
    })
  })

  it.each([
    [{ JWT_SECRET: undefined }, 'JWT_SECRET is required (or JWT_SECRET_FILE, or JWT_KEYS_DIR)'],
    [{ JWT_SECRET: '' }, 'JWT_SECRET is required (or JWT_SECRET_FILE, or JWT_KEYS_DIR)'],
    [{ JWT_SECRET: 's'.repeat(31) }, 'JWT_SECRET must have at least 32 bytes'],
    [{ JWT_SECRET_FILE: '/nowhere' }, 'JWT_SECRET_FILE must name a file that can be read'],
    [
      { JWT_SECRET: undefined, JWT_SECRET_FILE: fileWith('short\n') },
      'JWT_SECRET_FILE must have at least 32 bytes',
    ],
    [{ JWT_KEYS_DIR: '/nowhere' }, 'JWT_KEYS_DIR must name a readable folder'],
    [{ JWT_KEYS_DIR: folder }, 'JWT_KEYS_DIR has no key file, such as a.json'],
    [{ JWT_EXPIRES_IN: '15m' }, 'JWT_EXPIRES_IN must be a whole number from 1 to 86400'],
    [{ JWT_EXPIRES_IN: '0' }, 'JWT_EXPIRES_IN must be a whole number from 1 to 86400'],
    [{ BCRYPT_COST: '3' }, 'BCRYPT_COST must be a whole number from 4 to 15'],
    [{ BCRYPT_COST: '16' }, 'BCRYPT_COST must be a whole number from 4 to 15'],
    [{ BCRYPT_COST: '9' }, 'BCRYPT_COST must be at least 10 when MODE is live'],
    [{ REFRESH_KEYS_FILE: undefined }, 'REFRESH_KEYS_FILE is required when MODE is live'],
    [{ REFRESH_KEYS_FILE: '/nowhere' }, 'REFRESH_KEYS_FILE must name a file that can be read'],
    [{ REFRESH_KEYS_FILE: fileWith('\n') }, 'REFRESH_KEYS_FILE has no key'],
    [
      { REFRESH_KEYS_FILE: fileWith(`${SECRET}\nshort\n`) },
      'REFRESH_KEYS_FILE must have keys of at least 32 bytes (key 2)',
    ],
    [{ REFRESH_GRACE_MS: '21999' }, 'REFRESH_GRACE_MS must be at least 22000 (DB_WAIT_MS + 10000)'],
    [{ DB_WAIT_MS: '60000' }, 'REFRESH_GRACE_MS must be at least 70000 (DB_WAIT_MS + 10000)'],
    [
      { SESSION_EXPIRES_IN: '899' },
      'SESSION_EXPIRES_IN must be at least 900 (JWT_EXPIRES_IN and REFRESH_GRACE_MS)',
    ],
    [
      { SESSION_EXPIRES_IN: '60', JWT_EXPIRES_IN: '60', REFRESH_GRACE_MS: '60001' },
      'SESSION_EXPIRES_IN must be at least 61 (JWT_EXPIRES_IN and REFRESH_GRACE_MS)',
    ],
    [{ JWT_SECRET_FILE: fileWith(SECRET) }, 'JWT_SECRET must not be set with JWT_SECRET_FILE'],
    [{ SESSIONS_PER_USER: '0' }, 'SESSIONS_PER_USER must be a whole number from 1 to 100'],
    [{ MODE: 'prod' }, 'MODE must be one of sandbox, live'],
    [
      { DEFAULT_REGION: 'Uganda' },
      'DEFAULT_REGION must be the two letters of a country, such as UG',
    ],
    [
      { REDIS_URL: 'http://redis' },
      'REDIS_URL must be a URL that begins with redis:// or rediss://',
    ],
  ])('%j is one line', (change, line) => {
    expect(linesOf(change)).toEqual([line])
  })

  it('reports every bad variable, one line each', () => {
    expect(linesOf({ DATABASE_URL: undefined, JWT_SECRET: undefined })).toEqual([
      'DB_HOST is required (or DATABASE_URL)',
      'DB_USERNAME is required (or DATABASE_URL)',
      'DB_NAME is required (or DATABASE_URL)',
      'DB_PASSWORD is required (or DB_PASSWORD_FILE, or DATABASE_URL)',
      'JWT_SECRET is required (or JWT_SECRET_FILE, or JWT_KEYS_DIR)',
    ])
  })

  it('allows a low cost in the sandbox', () => {
    expect(linesOf({ MODE: 'sandbox', BCRYPT_COST: '4' })).toEqual([])
  })

  it('needs no refresh keys in the sandbox', () => {
    expect(linesOf({ MODE: 'sandbox', REFRESH_KEYS_FILE: undefined })).toEqual([])
  })

  it('reads the secret from a file, without its final newline', () => {
    const env = readEnv({ ...GOOD, JWT_SECRET: '', JWT_SECRET_FILE: fileWith(`${SECRET}\n`) })
    expect(jwtSecret(env)).toBe(SECRET)
  })
})
