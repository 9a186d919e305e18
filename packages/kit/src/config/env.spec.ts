import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type Check,
  checkDatabase,
  checkRedis,
  ConfigurationError,
  contactVariables,
  databaseVariables,
  httpVariables,
  readEnv,
  redisVariables,
  readSecret,
} from './env.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-env-'))
const file = join(folder, 'secret')
afterAll(() => rmSync(folder, { recursive: true }))

const specs = {
  ...httpVariables(3000),
  ...databaseVariables,
  ...redisVariables,
  ...contactVariables,
}
const read = (env: Record<string, string>) => readEnv(env, specs, checkDatabase, checkRedis)
const GOOD = { DATABASE_URL: 'postgresql://db/x' }

function linesOf(env: Record<string, string>): readonly string[] {
  try {
    read(env)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.lines
    throw error
  }
}

describe('the environment', () => {
  it('has documented defaults', () => {
    expect(read(GOOD)).toMatchObject({
      PORT: 3000,
      MODE: 'live',
      LOG_LEVEL: 'info',
      TRUSTED_PROXIES: [],
      CORS_ORIGINS: [],
      DB_POOL_MAX: 8,
      DB_WAIT_MS: 12_000,
      REDIS_PORT: 6379,
      DEFAULT_REGION: 'UG',
    })
    for (const spec of Object.values(specs)) expect(spec.desc).toBeTruthy()
  })

  it('takes an empty variable for one that is not set', () => {
    expect(read({ ...GOOD, PORT: '', REDIS_URL: '' })).toMatchObject({ PORT: 3000 })
  })

  it('splits lists', () => {
    const env = read({ ...GOOD, TRUSTED_PROXIES: ' 10.0.0.0/8, ,127.0.0.1' })
    expect(env.TRUSTED_PROXIES).toEqual(['10.0.0.0/8', '127.0.0.1'])
  })

  it.each([
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '1e3' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535'],
    [{ MODE: 'Live' }, 'MODE must be one of sandbox, live'],
    [{ LOG_LEVEL: 'trace' }, 'LOG_LEVEL must be one of fatal, error, warn, info, debug, silent'],
    [
      { DATABASE_URL: 'mysql://db' },
      'DATABASE_URL must be an address that begins with postgres:// or postgresql://',
    ],
    [
      { DATABASE_URL: 'hunter2' },
      'DATABASE_URL must be an address that begins with postgres:// or postgresql://',
    ],
    [{ DB_PASSWORD_FILE: '/nowhere' }, 'DB_PASSWORD_FILE must name a file that can be read'],
    [{ DB_POOL_MAX: '0' }, 'DB_POOL_MAX must be a whole number from 1 to 100'],
    [{ DEFAULT_REGION: 'XX' }, 'DEFAULT_REGION must be a country’s two letters, such as UG'],
    [{ REDIS_SENTINELS: 'a:1' }, 'REDIS_SENTINEL_MASTER is required with REDIS_SENTINELS'],
  ])('%j is told in one line, which repeats no value', (change, line) => {
    expect(linesOf({ ...GOOD, ...change })).toEqual([line])
  })

  it('tells every wrong variable at once', () => {
    expect(linesOf({ ...GOOD, PORT: 'x', MODE: 'y', DB_POOL_MAX: 'z' })).toHaveLength(3)
  })

  it('wants a database by address or by its parts', () => {
    expect(linesOf({ DB_HOST: 'db', DB_USERNAME: 'u', DB_NAME: 'n', DB_PASSWORD: 'p' })).toEqual([])
    expect(linesOf({ DB_HOST: 'db' })).toEqual([
      'DB_USERNAME is required (or DATABASE_URL)',
      'DB_NAME is required (or DATABASE_URL)',
      'DB_PASSWORD is required (or DB_PASSWORD_FILE, or DATABASE_URL)',
    ])
  })

  it('runs a check only on values that are well-formed', () => {
    const check: Check<object> = () => {
      throw new Error('not to be reached')
    }
    expect(() => readEnv({ PORT: 'x' }, httpVariables(1), check)).toThrow(ConfigurationError)
  })
})

describe('a secret', () => {
  it.each([
    ['from the variable', 'given', undefined, 'given'],
    ['from the file, which counts more', 'given', 'in the file\n', 'in the file'],
    ['with its own line breaks', undefined, 'two\nlines\r\n', 'two\nlines'],
    ['that is not there', undefined, undefined, undefined],
  ])('%s', (_, value, content, expected) => {
    if (content !== undefined) writeFileSync(file, content)
    expect(readSecret(value, content === undefined ? undefined : file)).toBe(expected)
  })
})
