import { startTestRedis } from '@malipo/testing/redis'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readEnv } from '../config/env.js'
import { checkRedis } from '../config/redis-settings.js'
import { redisVariables } from '../config/variables.js'
import { Redis } from './redis.js'

async function client(url: string): Promise<Redis> {
  const env = readEnv({ REDIS_URL: url }, redisVariables, checkRedis)
  const redis = new Redis(env, pino({ level: 'silent' }), 1_000)
  redis.onApplicationBootstrap()
  onTestFinished(() => redis.onApplicationShutdown())
  await expect.poll(() => redis.isUp).toBe(true)
  return redis
}

const datasetOf = async (redis: Redis) => (await redis.read(['key']))?.dataset

describe('values', () => {
  it('are read in the order of their keys, with the time of Redis', async () => {
    const redis = await client((await startTestRedis()).url)
    await redis.set('a', '1', 60_000)
    await redis.set('b', '2', 60_000)
    const read = await redis.read(['b', 'missing', 'a'])
    expect(read?.values).toEqual(['2', null, '1'])
    expect(Math.abs(Number(read?.nowMs) - Date.now())).toBeLessThan(1_000)
  })

  it('name their data set, which changes when a replica with other data is promoted', async () => {
    const other = await startTestRedis()
    const redis = await client((await startTestRedis()).url)
    await expect.poll(() => datasetOf(redis)).toMatch(/^\w{40}:\w{40}$/)
    const before = await datasetOf(redis)
    expect(await datasetOf(redis)).toBe(before)
    await redis.raw?.replicaof('127.0.0.1', other.port)
    expect(await datasetOf(redis)).toBeUndefined()
    await redis.raw?.replicaof('NO', 'ONE')
    const after = await datasetOf(redis)
    expect(after).toMatch(/^\w{40}:\w{40}$/)
    expect(after).not.toBe(before)
  })

  it('name another data set after a restart', async () => {
    const primary = await startTestRedis()
    const redis = await client(primary.url)
    await expect.poll(() => datasetOf(redis)).toBeDefined()
    const before = await datasetOf(redis)
    await primary.restart()
    await expect.poll(() => datasetOf(redis), { timeout: 10_000 }).toBeDefined()
    expect(await datasetOf(redis)).not.toBe(before)
  })

  it('name no data set if the user may not run INFO', async () => {
    const { port } = await startTestRedis({
      settings: { user: 'app on >secret ~* &* +@all -info' },
    })
    const redis = await client(`redis://app:secret@127.0.0.1:${port}`)
    await redis.set('key', 'value', 60_000)
    expect(await redis.read(['key'])).toMatchObject({ values: ['value'], dataset: undefined })
  })
})
