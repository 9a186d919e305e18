import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configurationErrors } from '@malipo/testing/configuration-errors'
import { afterAll, describe, expect, it } from 'vitest'
import { checkDatabase, databaseSettings } from './database-settings.js'
import { readEnv } from './env.js'
import { databaseVariables } from './variables.js'

const folder = mkdtempSync(join(tmpdir(), 'malipo-database-'))
const caFile = join(folder, 'ca.crt')
writeFileSync(caFile, 'a certificate')
afterAll(() => rmSync(folder, { recursive: true }))

const read = (env: Record<string, string>) => readEnv(env, databaseVariables, checkDatabase)

function settings(env: Record<string, string>) {
  const { password, ...others } = databaseSettings(read(env))
  return { ...others, password: password() }
}

const errorsOf = (env: Record<string, string>) => configurationErrors(() => read(env))

const PARAMETERS =
  'must have no other parameters than sslmode, sslrootcert, application_name, options, host, each once and with a value'

describe('DATABASE_URL', () => {
  it.each<[string, object, Record<string, string>?]>([
    ['postgres://u:p@db/x', { host: 'db', port: 5432, username: 'u', password: 'p', name: 'x' }],
    ['postgresql://u:p@db:6432/x', { port: 6432 }],
    ['postgres://u:100%25@db/x', { password: '100%' }],
    ['postgres://u:a%2Fb%3F%23%40%3A@db/x', { password: 'a/b?#@:', host: 'db' }],
    ['postgres://u:a@b@db/x', { password: 'a@b', host: 'db' }],
    ['postgres://a%40b:p@db/my%20name', { username: 'a@b', name: 'my name' }],
    ['postgres://u:p@[2001:db8::1]:6432/x', { host: '2001:db8::1', port: 6432 }],
    ['postgres://u@%2Fvar%2Frun%2Fpostgresql/x', { host: '/var/run/postgresql' }],
    ['postgres://u@/x?host=/var/run/postgresql', { host: '/var/run/postgresql' }],
    ['postgres:///x?host=/run', { host: '/run', username: 'role' }, { DB_USERNAME: 'role' }],
    [
      'postgres://u@db/x?application_name=a&options=-c%20a',
      { applicationName: 'a', options: '-c a' },
    ],
  ])('%s is split into its parts', (url, parts, env = {}) => {
    expect(settings({ ...env, DATABASE_URL: url })).toMatchObject(parts)
  })

  it.each([
    'postgres://u:100%@db/x',
    'postgres://u:%E0%A4%A@db/x',
    'postgres://u:hunter/2@db/x',
    'postgres://u:12/hunter2@db/x',
    'postgres://u:12?hunter2@db/x',
    'postgres://u:12#hunter2@db/x',
    'postgres://us/hunter2:p@db/x',
    'postgres://u:p@db:port/x',
  ])('%s is rejected without its password', (url) => {
    expect(errorsOf({ DATABASE_URL: url })).toEqual([
      'DATABASE_URL must have its user and password percent-encoded, such as %25 for % and %2F for /',
    ])
  })

  it.each([
    ['hunter2', 'must be a URL that begins with postgres:// or postgresql://'],
    ['mysql://u@db/x', 'must be a URL that begins with postgres:// or postgresql://'],
    ['postgres:u@db/x', 'must be a URL that begins with postgres:// or postgresql://'],
    ['postgres://u@a,b/x', 'must name one host, as a name or an address'],
    ['postgres://u@db/x/y', 'must have one database name as its path'],
    ['postgres://u@db/x?host=/run', 'must name one host'],
    ['postgres://u@/x?host=a,b', 'must name one host, as a name or an address'],
    ['postgres://u@db:0/x', 'must have a port from 1 to 65535'],
    [
      'postgres://u@db/x?sslmode=prefer',
      'must have an sslmode of disable, require, verify-ca, verify-full',
    ],
    [
      'postgres://u@db/x?sslmode=no-verify',
      'must have an sslmode of disable, require, verify-ca, verify-full',
    ],
    ['postgres://u@db/x?hunter2', PARAMETERS],
    ['postgres://u@db/x?sslmode=require&sslmode=disable', PARAMETERS],
    ['postgres://u@db/x?sslrootcert=', PARAMETERS],
    ['postgres://u@/x?host=', PARAMETERS],
    [
      'postgres://u@db/x?sslmode=require&sslrootcert=/nowhere',
      'must name a file that can be read as its sslrootcert, or system',
    ],
  ])('%s is rejected', (url, message) => {
    expect(errorsOf({ DATABASE_URL: url })).toEqual([`DATABASE_URL ${message}`])
  })

  it('may leave parts to the other variables', () => {
    const env = { DATABASE_URL: 'postgres://db', DB_USERNAME: 'u', DB_NAME: 'x', DB_PASSWORD: 'p' }
    expect(settings(env)).toMatchObject({ host: 'db', username: 'u', name: 'x', password: 'p' })
    expect(errorsOf({ DATABASE_URL: 'postgres://' })).toEqual([
      'DB_HOST is required (or DATABASE_URL)',
      'DB_USERNAME is required (or DATABASE_URL)',
      'DB_NAME is required (or DATABASE_URL)',
    ])
  })

  it.each([
    [{ DB_HOST: 'db', DB_PORT: '5432', DB_USERNAME: 'u', DB_NAME: 'x', DB_PASSWORD: 'p' }, []],
    [{ DB_HOST: 'other' }, ['DB_HOST contradicts DATABASE_URL: set only one of them']],
    [{ DB_PORT: '6432' }, ['DB_PORT contradicts DATABASE_URL: set only one of them']],
    [{ DB_USERNAME: 'other' }, ['DB_USERNAME contradicts DATABASE_URL: set only one of them']],
    [{ DB_NAME: 'other' }, ['DB_NAME contradicts DATABASE_URL: set only one of them']],
    [{ DB_PASSWORD: 'other' }, ['DB_PASSWORD contradicts DATABASE_URL: set only one of them']],
    [
      { DB_PASSWORD_FILE: caFile },
      ['DB_PASSWORD_FILE contradicts the password in DATABASE_URL: set only one of them'],
    ],
    [
      { DB_PASSWORD: 'p', DB_PASSWORD_FILE: caFile },
      [
        'DB_PASSWORD_FILE contradicts the password in DATABASE_URL: set only one of them',
        'DB_PASSWORD must not be set with DB_PASSWORD_FILE',
      ],
    ],
  ])('with %j is %j', (env, lines) => {
    expect(errorsOf({ DATABASE_URL: 'postgres://u:p@db/x', ...env })).toEqual(lines)
  })
})

it('takes a password from one variable only', () => {
  const parts = { DB_HOST: 'db', DB_USERNAME: 'u', DB_NAME: 'x' }
  expect(errorsOf({ ...parts, DB_PASSWORD_FILE: caFile })).toEqual([])
  expect(errorsOf({ ...parts, DB_PASSWORD: 'p', DB_PASSWORD_FILE: caFile })).toEqual([
    'DB_PASSWORD must not be set with DB_PASSWORD_FILE',
  ])
})

describe('TLS', () => {
  const ssl = (parameters: string, env: Record<string, string> = {}) =>
    settings({ DATABASE_URL: `postgres://u:p@db/x${parameters}`, ...env }).ssl

  it.each([
    ['', {}],
    ['?sslmode=disable', {}],
    ['?sslmode=disable', { DB_SSL: 'false' }],
    ['', { DB_SSL: 'false' }],
  ])('is off for %j with %j', (parameters, env) => {
    expect(ssl(parameters, env)).toBe(false)
  })

  it.each<[string, Record<string, string>]>([
    ['?sslmode=require', {}],
    ['?sslmode=verify-full', {}],
    ['?sslmode=require&sslrootcert=system', {}],
    ['', { DB_SSL: 'true' }],
    ['?sslmode=require', { DB_SSL: 'true' }],
  ])('verifies the server by the system’s CAs for %j with %j', (parameters, env) => {
    expect(ssl(parameters, env)).toEqual({ rejectUnauthorized: true })
  })

  it.each<[string, Record<string, string>]>([
    ['', { DB_SSL_CA_FILE: caFile }],
    ['?sslmode=require', { DB_SSL_CA_FILE: caFile }],
    ['?sslmode=verify-full', { DB_SSL_CA_FILE: caFile, DB_SSL: 'true' }],
    [`?sslrootcert=${caFile}`, {}],
    [`?sslmode=require&sslrootcert=${caFile}`, { DB_SSL_CA_FILE: caFile }],
  ])('verifies the server by the given CA for %j with %j', (parameters, env) => {
    expect(ssl(parameters, env)).toEqual({ rejectUnauthorized: true, ca: 'a certificate' })
  })

  it('compares no name with verify-ca', () => {
    const options = ssl('?sslmode=verify-ca', { DB_SSL_CA_FILE: caFile })
    expect(options).toMatchObject({ rejectUnauthorized: true, ca: 'a certificate' })
    expect(options).toHaveProperty('checkServerIdentity')
  })

  it.each([
    [
      '?sslmode=disable',
      { DB_SSL: 'true' },
      'DB_SSL contradicts the sslmode in DATABASE_URL: set only one of them',
    ],
    [
      '?sslmode=require',
      { DB_SSL: 'false' },
      'DB_SSL contradicts the sslmode in DATABASE_URL: set only one of them',
    ],
    [
      '?sslmode=disable',
      { DB_SSL_CA_FILE: caFile },
      'DB_SSL_CA_FILE must not name CA certificates while the sslmode is disable',
    ],
    [
      '',
      { DB_SSL: 'false', DB_SSL_CA_FILE: caFile },
      'DB_SSL_CA_FILE must not name CA certificates while DB_SSL is false',
    ],
    [
      `?sslmode=disable&sslrootcert=${caFile}`,
      {},
      'DATABASE_URL must not name CA certificates while the sslmode is disable',
    ],
    [
      '?sslrootcert=system',
      { DB_SSL_CA_FILE: caFile },
      'DB_SSL_CA_FILE contradicts the sslrootcert in DATABASE_URL: set only one of them',
    ],
  ])('%s with %j is a contradiction', (parameters, env, line) => {
    expect(errorsOf({ DATABASE_URL: `postgres://u:p@db/x${parameters}`, ...env })).toEqual([line])
  })

  it('is a contradiction with a socket', () => {
    expect(errorsOf({ DATABASE_URL: 'postgres://u@%2Frun/x', DB_SSL: 'true' })).toEqual([
      'DB_SSL must be false for a socket, which has no TLS',
    ])
  })
})
