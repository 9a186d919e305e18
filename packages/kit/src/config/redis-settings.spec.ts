import { configurationErrors } from '@malipo/testing/configuration-errors'
import { describe, expect, it } from 'vitest'
import { readEnv } from './env.js'
import { checkRedis, redisUsesTls } from './redis-settings.js'
import { redisVariables } from './variables.js'

const file = import.meta.filename
const read = (env: Record<string, string>) => readEnv(env, redisVariables, checkRedis)

const errorsOf = (env: Record<string, string>) => configurationErrors(() => read(env))

describe('REDIS_URL', () => {
  it.each([
    [
      'redis://h',
      { host: 'h', port: 6379, username: undefined, password: undefined, db: 0, tls: false },
    ],
    [
      'rediss://u:a%2Fb@h:7000/3',
      { host: 'h', port: 7000, username: 'u', password: 'a/b', db: 3, tls: true },
    ],
    ['redis://:p@[::1]:6379', { host: '::1', port: 6379, password: 'p' }],
  ])('%s is split into its parts', (url, parts) => {
    expect(read({ REDIS_URL: url }).REDIS_URL).toMatchObject(parts)
  })

  it.each([
    ['http://h', 'must be a URL that begins with redis:// or rediss://'],
    ['h:6379', 'must be a URL that begins with redis:// or rediss://'],
    [
      'redis://:100%@h',
      'must have its user and password percent-encoded, such as %25 for % and %2F for /',
    ],
    [
      'redis://:12/hunter2@h',
      'must have its user and password percent-encoded, such as %25 for % and %2F for /',
    ],
    ['redis://', 'must name one host, as a name or an address'],
    ['redis://%2Frun', 'must name one host, as a name or an address'],
    ['redis://a,b', 'must name one host, as a name or an address'],
    ['redis://h:0', 'must have a port from 1 to 65535'],
    ['redis://h/x', 'must have nothing after the host but the number of a database, such as /0'],
    [
      'redis://h?family=6',
      'must have nothing after the host but the number of a database, such as /0',
    ],
  ])('%s is rejected', (url, message) => {
    expect(errorsOf({ REDIS_URL: url })).toEqual([`REDIS_URL ${message}`])
  })
})

describe('REDIS_SENTINELS', () => {
  const parse = (list: string) =>
    read({ REDIS_SENTINELS: list, REDIS_SENTINEL_MASTER: 'm' }).REDIS_SENTINELS

  it.each([
    ['a', 'a', 26_379],
    ['a.example:1', 'a.example', 1],
    ['127.0.0.1:26380', '127.0.0.1', 26_380],
    ['[::1]', '::1', 26_379],
    ['[::1]:26380', '::1', 26_380],
    ['::1', '::1', 26_379],
  ])('takes %s', (item, host, port) => {
    expect(parse(item)).toEqual([{ host, port, tls: undefined }])
    expect(parse(`rediss://${item}`)).toEqual([{ host, port, tls: true }])
  })

  it.each([
    '127.0.0.1:x',
    ':26379',
    'a:0',
    'a:65536',
    '[::1',
    '::1:x',
    'http://a',
    'a b',
    'a;b',
    '[a]:1',
  ])('rejects %j', (item) => {
    expect(errorsOf({ REDIS_SENTINELS: `b,${item}`, REDIS_SENTINEL_MASTER: 'm' })).toEqual([
      'REDIS_SENTINELS must list Sentinels as host:port or [address]:port, separated by commas',
    ])
  })
})

describe('the variables of Redis', () => {
  const SENTINEL = { REDIS_SENTINELS: 'a', REDIS_SENTINEL_MASTER: 'm' }

  it.each([
    [{ REDIS_URL: 'redis://h', REDIS_HOST: 'h' }, 'REDIS_HOST must not be set with REDIS_URL'],
    [{ ...SENTINEL, REDIS_URL: 'redis://h' }, 'REDIS_URL must not be set with REDIS_SENTINELS'],
    [{ ...SENTINEL, REDIS_HOST: 'h' }, 'REDIS_HOST must not be set with REDIS_SENTINELS'],
    [{ REDIS_SENTINELS: 'a' }, 'REDIS_SENTINEL_MASTER is required with REDIS_SENTINELS'],
    [{ REDIS_SENTINEL_MASTER: 'm' }, 'REDIS_SENTINELS is required with REDIS_SENTINEL_MASTER'],
    [{ REDIS_SENTINEL_PASSWORD: 'p' }, 'REDIS_SENTINELS is required with REDIS_SENTINEL_PASSWORD'],
    [
      { ...SENTINEL, REDIS_SENTINEL_USERNAME: 'u' },
      'REDIS_SENTINEL_PASSWORD is required with REDIS_SENTINEL_USERNAME (or REDIS_SENTINEL_PASSWORD_FILE)',
    ],
    [
      { REDIS_URL: 'redis://u:p@h', REDIS_USERNAME: 'other' },
      'REDIS_USERNAME contradicts the user in REDIS_URL: set only one of them',
    ],
    [
      { REDIS_URL: 'redis://:p@h', REDIS_PASSWORD: 'other' },
      'REDIS_PASSWORD contradicts the password in REDIS_URL: set only one of them',
    ],
    [
      { REDIS_URL: 'redis://:p@h', REDIS_PASSWORD_FILE: file },
      'REDIS_PASSWORD_FILE contradicts the password in REDIS_URL: set only one of them',
    ],
    [
      { REDIS_HOST: 'h', REDIS_PASSWORD: 'p', REDIS_PASSWORD_FILE: file },
      'REDIS_PASSWORD must not be set with REDIS_PASSWORD_FILE',
    ],
    [
      { ...SENTINEL, REDIS_SENTINEL_PASSWORD: 'p', REDIS_SENTINEL_PASSWORD_FILE: file },
      'REDIS_SENTINEL_PASSWORD must not be set with REDIS_SENTINEL_PASSWORD_FILE',
    ],
    [
      { REDIS_HOST: 'h', REDIS_USERNAME: 'u' },
      'REDIS_PASSWORD is required with a user (or REDIS_PASSWORD_FILE)',
    ],
    [
      { REDIS_URL: 'redis://h', REDIS_CA_FILE: file },
      'REDIS_CA_FILE contradicts redis://, which has no TLS: use rediss://',
    ],
    [
      { ...SENTINEL, REDIS_SENTINELS: 'redis://a', REDIS_CA_FILE: file },
      'REDIS_CA_FILE contradicts redis://, which has no TLS: use rediss://',
    ],
    [
      { ...SENTINEL, REDIS_SENTINELS: 'redis://a,rediss://b' },
      'REDIS_SENTINELS must use TLS for all Sentinels or for none',
    ],
  ])('%j is a contradiction', (env, line) => {
    expect(errorsOf(env)).toEqual([line])
  })

  it.each([
    [{ REDIS_URL: 'redis://h' }, false],
    [{ REDIS_URL: 'rediss://h' }, true],
    [{ REDIS_HOST: 'h' }, false],
    [{ REDIS_HOST: 'h', REDIS_CA_FILE: file }, true],
    [SENTINEL, false],
    [{ ...SENTINEL, REDIS_CA_FILE: file }, true],
    [{ ...SENTINEL, REDIS_SENTINELS: 'rediss://a,b' }, true],
  ])('%j has TLS: %s', (env, expected) => {
    expect(redisUsesTls(read(env as unknown as Record<string, string>))).toBe(expected)
  })
})
