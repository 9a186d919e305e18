import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configurationErrors } from '@malipo/testing/configuration-errors'
import { afterAll, describe, expect, it } from 'vitest'
import { readSecret, secretReader } from './credentials.js'
import { checkDatabase } from './database-settings.js'
import { type Check, ConfigurationError, headers, readEnv } from './env.js'
import { checkRedis } from './redis-settings.js'
import {
  checkHttp,
  contactVariables,
  databaseVariables,
  httpVariables,
  redisVariables,
} from './variables.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-env-'))
const file = join(folder, 'secret')
afterAll(() => rmSync(folder, { recursive: true }))

const specs = {
  ...httpVariables(3000, 'a mode'),
  ...databaseVariables,
  ...redisVariables,
  ...contactVariables,
}
const read = (env: Record<string, string>) =>
  readEnv(env, specs, checkHttp, checkDatabase, checkRedis)
const VALID = { DATABASE_URL: 'postgresql://u@db/x' }

const errorsOf = (env: Record<string, string>) => configurationErrors(() => read(env))

describe('readEnv', () => {
  it('has documented defaults', () => {
    expect(read(VALID)).toMatchObject({
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

  it('treats an empty variable as unset', () => {
    expect(read({ ...VALID, PORT: '', REDIS_URL: '' })).toMatchObject({ PORT: 3000 })
  })

  it('splits lists at commas and drops empty items', () => {
    const env = read({ ...VALID, TRUSTED_PROXIES: ' 10.0.0.0/8, ,127.0.0.1' })
    expect(env.TRUSTED_PROXIES).toEqual(['10.0.0.0/8', '127.0.0.1/32'])
  })

  it.each([
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '1e3' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535'],
    [{ MODE: 'Live' }, 'MODE must be one of sandbox, live'],
    [{ LOG_LEVEL: 'trace' }, 'LOG_LEVEL must be one of fatal, error, warn, info, debug, silent'],
    [
      { DATABASE_URL: 'mysql://db' },
      'DATABASE_URL must be a URL that begins with postgres:// or postgresql://',
    ],
    [
      { DATABASE_URL: 'hunter2' },
      'DATABASE_URL must be a URL that begins with postgres:// or postgresql://',
    ],
    [{ DB_PASSWORD_FILE: '/nowhere' }, 'DB_PASSWORD_FILE must name a file that can be read'],
    [{ DB_SSL: 'hunter2' }, 'DB_SSL must be true or false'],
    [{ DB_POOL_MAX: '0' }, 'DB_POOL_MAX must be a whole number from 1 to 100'],
    [{ DEFAULT_REGION: 'XX' }, 'DEFAULT_REGION must be the two letters of a country, such as UG'],
    [{ REDIS_SENTINELS: 'a:1' }, 'REDIS_SENTINEL_MASTER is required with REDIS_SENTINELS'],
    [{ REDIS_HOST: 'redis:6379' }, 'REDIS_HOST must be a host name or an address, without a port'],
    [
      { DB_HOST: 'db:5432' },
      'DB_HOST must be a host name, an address or the folder of a socket, without a port',
    ],
    [{ CORS_ORIGINS: '*' }, 'CORS_ORIGINS must not contain * when MODE is live'],
  ])('rejects %j in one line without the value', (change, line) => {
    expect(errorsOf({ ...VALID, ...change })).toEqual([line])
  })

  it('allows every origin in the sandbox', () => {
    const env = read({ ...VALID, MODE: 'sandbox', CORS_ORIGINS: '*' })
    expect(env.CORS_ORIGINS).toEqual(['*'])
  })

  it('accepts a host in brackets', () => {
    expect(read({ ...VALID, REDIS_HOST: '[::1]' }).REDIS_HOST).toBe('::1')
  })

  it('names every invalid variable', () => {
    expect(errorsOf({ ...VALID, PORT: 'x', MODE: 'y', DB_POOL_MAX: 'z' })).toHaveLength(3)
  })

  it('requires the database as a URL or in parts', () => {
    expect(errorsOf({ DB_HOST: 'db', DB_USERNAME: 'u', DB_NAME: 'n', DB_PASSWORD: 'p' })).toEqual(
      [],
    )
    expect(errorsOf({ DB_HOST: 'db' })).toEqual([
      'DB_USERNAME is required (or DATABASE_URL)',
      'DB_NAME is required (or DATABASE_URL)',
      'DB_PASSWORD is required (or DB_PASSWORD_FILE, or DATABASE_URL)',
    ])
  })

  it('runs checks only if each variable is valid', () => {
    const check: Check<object> = () => {
      throw new Error('not reached')
    }
    expect(() => readEnv({ PORT: 'x' }, httpVariables(1, ''), check)).toThrow(ConfigurationError)
  })
})

describe('headers', () => {
  const parse = (input: string) => readEnv({ H: input }, { H: headers() }).H

  it('decodes values', () => {
    expect(parse('authorization=Basic%20a%3D, x-tenant=b')).toEqual({
      authorization: 'Basic a=',
      'x-tenant': 'b',
    })
    expect(parse('empty=')).toEqual({ empty: '' })
  })

  it.each(['name', '=value', 'a b=c', 'a=%', 'a=b,,c=d'])('rejects %j', (input) => {
    expect(() => parse(input)).toThrow(
      'H must be name=value, separated by commas, with percent-encoded values',
    )
  })
})

describe('secretReader', () => {
  it('reads the file again, and returns the last value while the file is missing', () => {
    writeFileSync(file, 'first')
    const secret = secretReader(undefined, file)
    writeFileSync(file, 'second')
    expect(secret()).toBe('second')
    rmSync(file)
    expect(secret()).toBe('second')
  })
})

describe('readSecret', () => {
  it.each([
    ['takes the variable', 'given', undefined, 'given'],
    ['prefers the file', 'given', 'in the file\n', 'in the file'],
    ['removes only the last line break', undefined, 'two\nlines\r\n', 'two\nlines'],
    ['is undefined without either', undefined, undefined, undefined],
  ])('%s', (_, value, content, expected) => {
    if (content !== undefined) writeFileSync(file, content)
    expect(readSecret(value, content === undefined ? undefined : file)).toBe(expected)
  })
})
