import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { startRedis } from '../src/redis.js'

it('is empty after a restart and after a crash', async () => {
  const redis = (await startRedis())!
  const client = new Redis(redis.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  try {
    await client.set('key', 'value')
    await redis.kill()
    await redis.restart()
    expect(await client.get('key')).toBeNull()
    await client.set('key', 'value')
    await redis.restart()
    expect(await client.get('key')).toBeNull()
    expect(await client.config('GET', 'save')).toEqual(['save', ''])
  } finally {
    client.disconnect()
    await redis.stop()
  }
})

it('is undefined if no server is installed', async () => {
  const path = process.env.PATH
  process.env.PATH = '/nowhere'
  try {
    expect(await startRedis()).toBeUndefined()
  } finally {
    process.env.PATH = path
  }
})
