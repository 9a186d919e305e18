import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@malipo/local/free-port'
import type { Redis as Server } from '@malipo/local/redis'
import { startTestRedis } from '@malipo/testing/redis'
import { type Certificate, createCertificate } from '@malipo/testing/certificate'
import { startSentinel } from '@malipo/testing/sentinel'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readEnv } from '../config/env.js'
import { checkRedis } from '../config/redis-settings.js'
import { redisVariables } from '../config/variables.js'
import { errorForLog } from '../telemetry/logger.js'
import { connect } from './redis-connection.js'
import { Redis } from './redis.js'

/** Real Redis servers and Sentinels that require accounts, passwords and TLS. */

const folder = mkdtempSync(join(tmpdir(), 'malipo-redis-'))
let certificate: Certificate

beforeAll(async () => {
  certificate = await createCertificate(folder, 'DNS:localhost', 'IP:127.0.0.1')
})
afterAll(() => rmSync(folder, { recursive: true }))

const server = (settings: Readonly<Record<string, string>>, port?: number) =>
  startTestRedis({ settings, ...(port === undefined ? {} : { port }) })

async function tlsServer(settings: Readonly<Record<string, string>> = {}) {
  const port = await freePort()
  await server({ ...tlsSettings(port), ...settings }, port)
  return port
}

const tlsSettings = (port: number) => ({
  port: '0',
  'tls-port': String(port),
  'tls-cert-file': certificate.cert,
  'tls-key-file': certificate.key,
  'tls-auth-clients': 'no',
})

async function sentinel(lines: readonly string[], port?: number) {
  const started = await startSentinel(lines, port)
  onTestFinished(() => started.stop())
  return `127.0.0.1:${started.port}`
}

interface Line {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly message: string }
}

/** Starts a client, with everything that it logs at `warn` or above. */
function client(env: Record<string, string>) {
  const warnings: Line[] = []
  const write = (text: string) => {
    const line = JSON.parse(text) as Line
    if (line.level >= 40) warnings.push(line)
  }
  const log = pino({ level: 'debug', serializers: { err: errorForLog } }, { write })
  const redis = new Redis(readEnv(env, redisVariables, checkRedis), log, 1_000)
  const subscription = redis.subscribe(
    'channel',
    () => undefined,
    () => undefined,
  )
  redis.onApplicationBootstrap()
  onTestFinished(() => redis.onApplicationShutdown())
  return { redis, subscription, warnings }
}

async function expectReady({ redis, subscription, warnings }: ReturnType<typeof client>) {
  await expect.poll(() => redis.isUp && subscription.isLive, { timeout: 10_000 }).toBe(true)
  expect(await redis.set('key', 'value', 1_000)).toBe('OK')
  expect(warnings).toEqual([])
}

/** Waits until the client has tried to connect several times, then expects one line with Redis' answer. */
async function expectOneWarning({ redis, warnings }: ReturnType<typeof client>, answer: RegExp) {
  let attempts = 0
  redis.raw?.on('error', () => attempts++)
  await expect.poll(() => attempts, { timeout: 10_000 }).toBeGreaterThan(3)
  expect(redis.isUp).toBe(false)
  const logged = warnings.map(({ msg, err }) => `${msg}: ${err?.message}`)
  expect(logged).toEqual([expect.stringMatching(answer)])
  expect(logged[0]).toMatch(/^Redis is unavailable/)
}

const ACCOUNT = 'app on >secret ~* &* +@all'

describe('Redis with accounts', () => {
  it.each<[string, (redis: Server) => Record<string, string>]>([
    [
      'variables',
      ({ url }) => ({ REDIS_URL: url, REDIS_USERNAME: 'app', REDIS_PASSWORD: 'secret' }),
    ],
    ['a URL', ({ port }) => ({ REDIS_URL: `redis://app:secret@127.0.0.1:${port}` })],
    [
      'a host',
      ({ port }) => ({
        REDIS_HOST: '127.0.0.1',
        REDIS_PORT: String(port),
        REDIS_USERNAME: 'app',
        REDIS_PASSWORD: 'secret',
      }),
    ],
  ])('accepts a user given by %s', async (_, env) => {
    const redis = await server({ user: ACCOUNT, requirepass: 'other' })
    await expectReady(client(env(redis)))
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['a wrong password', { REDIS_USERNAME: 'app', REDIS_PASSWORD: 'hunter2' }, /: WRONGPASS/],
    ['an unknown user', { REDIS_USERNAME: 'unknown', REDIS_PASSWORD: 'secret' }, /: WRONGPASS/],
    ['no password', {}, /: NOAUTH/],
  ])('logs its answer to %s once', async (_, credentials, answer) => {
    const redis = await server({ user: ACCOUNT, requirepass: 'other' })
    const started = client({ REDIS_URL: redis.url, ...credentials })
    await expectOneWarning(started, answer)
    expect(JSON.stringify(started.warnings)).not.toContain('hunter2')
  })

  it('logs a command that the user may not run once', async () => {
    const redis = await server({ user: `${ACCOUNT} -set` })
    const { redis: denied, warnings } = client({
      REDIS_URL: redis.url,
      REDIS_USERNAME: 'app',
      REDIS_PASSWORD: 'secret',
    })
    await expect.poll(() => denied.isUp, { timeout: 10_000 }).toBe(true)
    for (let i = 0; i < 3; i++) expect(await denied.set('key', 'value', 1_000)).toBeUndefined()
    expect(warnings.map(({ msg }) => msg)).toEqual(['Redis rejected a command'])
    expect(warnings[0]?.err?.message).toMatch(/^NOPERM .*'set'/)
  })

  it('reads a rotated password', async () => {
    const redis = await server({ user: ACCOUNT, requirepass: 'other' })
    const file = join(folder, 'password')
    writeFileSync(file, 'wrong')
    const started = client({
      REDIS_URL: redis.url,
      REDIS_USERNAME: 'app',
      REDIS_PASSWORD_FILE: file,
    })
    await expectOneWarning(started, /: WRONGPASS/)
    writeFileSync(file, 'secret\n')
    await expect.poll(() => started.redis.isUp, { timeout: 10_000 }).toBe(true)
  })

  it('logs an unreachable server once', async () => {
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(await freePort()) }
    await expectOneWarning(client(env), /ECONNREFUSED/)
  })
})

it('a connection may report several errors', async () => {
  const { url } = await server({})
  const connection = connect(readEnv({ REDIS_URL: url }, redisVariables, checkRedis))
  onTestFinished(() => connection?.disconnect())
  await connection?.connect()
  const stream = connection?.stream
  stream?.emit('error', new Error('the first'))
  expect(() => stream?.emit('error', new Error('the second'))).not.toThrow()
})

describe('Redis with TLS', () => {
  it.each([true, false])('is verified by the CA file, as a URL: %s', async (isUrl) => {
    const port = await tlsServer()
    const address: Record<string, string> = isUrl
      ? { REDIS_URL: `rediss://localhost:${port}` }
      : { REDIS_HOST: 'localhost', REDIS_PORT: String(port) }
    await expectReady(client({ ...address, REDIS_CA_FILE: certificate.cert }))
  })

  it('is rejected if no CA is known', async () => {
    const port = await tlsServer()
    await expectOneWarning(client({ REDIS_URL: `rediss://localhost:${port}` }), /self-signed/)
  })
})

describe('Sentinels', () => {
  const SENTINEL = {
    REDIS_SENTINEL_MASTER: 'malipo',
    REDIS_USERNAME: 'app',
    REDIS_PASSWORD: 'secret',
  }
  const monitor = (port: number) => [
    `sentinel monitor malipo 127.0.0.1 ${port} 1`,
    'sentinel auth-user malipo app',
    'sentinel auth-pass malipo secret',
  ]
  const redisWithAccount = () => server({ user: ACCOUNT, requirepass: 'other' })

  it('accept a password other than Redis’', async () => {
    const redis = await redisWithAccount()
    const address = await sentinel([...monitor(redis.port), 'requirepass sentinel-secret'])
    const env = { ...SENTINEL, REDIS_SENTINELS: address }
    await expectReady(client({ ...env, REDIS_SENTINEL_PASSWORD: 'sentinel-secret' }))
  })

  it('accept a user other than Redis’, with a password from a file', async () => {
    const redis = await redisWithAccount()
    const account = 'user watcher on >sentinel-secret allchannels +@all'
    const address = await sentinel([...monitor(redis.port), 'user default off', account])
    const file = join(folder, 'sentinel-password')
    writeFileSync(file, 'sentinel-secret\n')
    const env = { ...SENTINEL, REDIS_SENTINELS: address }
    await expectReady(
      client({ ...env, REDIS_SENTINEL_USERNAME: 'watcher', REDIS_SENTINEL_PASSWORD_FILE: file }),
    )
  })

  it.each<[string, readonly string[], Record<string, string>, RegExp]>([
    ['no password', ['requirepass x'], {}, /NOAUTH/],
    ['a wrong password', ['requirepass x'], { REDIS_SENTINEL_PASSWORD: 'hunter2' }, /WRONGPASS/],
    ['a wrong master', [], { REDIS_SENTINEL_MASTER: 'other' }, /No such master/],
    [
      'a user without permission',
      ['user watcher on >x +auth +hello +ping'],
      { REDIS_SENTINEL_USERNAME: 'watcher', REDIS_SENTINEL_PASSWORD: 'x' },
      /NOPERM/,
    ],
  ])('answer to %s, which is logged once', async (_, lines, env, answer) => {
    const redis = await redisWithAccount()
    const address = await sentinel([...monitor(redis.port), ...lines])
    const started = client({ ...SENTINEL, REDIS_SENTINELS: address, ...env })
    await expectOneWarning(started, answer)
    expect(JSON.stringify(started.warnings)).not.toContain('hunter2')
  })

  it('lead to a Redis whose answer is logged once', async () => {
    const redis = await redisWithAccount()
    const address = await sentinel(monitor(redis.port))
    const env = { ...SENTINEL, REDIS_SENTINELS: address, REDIS_PASSWORD: 'wrong' }
    await expectOneWarning(client(env), /: WRONGPASS/)
  })

  it.each(['', 'rediss://'])('and Redis have TLS, with the scheme %j', async (scheme) => {
    const port = await tlsServer({ user: ACCOUNT, requirepass: 'other' })
    const sentinelPort = await freePort()
    const tls = Object.entries(tlsSettings(sentinelPort)).map((setting) => setting.join(' '))
    const ca = [`tls-ca-cert-file ${certificate.cert}`, 'tls-replication yes']
    await sentinel([...tls, ...ca, ...monitor(port)], sentinelPort)
    const address = `${scheme}127.0.0.1:${sentinelPort}`
    const env = { ...SENTINEL, REDIS_SENTINELS: address, REDIS_CA_FILE: certificate.cert }
    await expectReady(client(env))
  })
})
