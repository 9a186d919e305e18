import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { startRedis } from '../src/redis.js'

it('keeps nothing over an end, however it ends', async () => {
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

it('is left out where the machine has none', async () => {
  const path = process.env.PATH
  process.env.PATH = '/nowhere'
  try {
    expect(await startRedis()).toBeUndefined()
  } finally {
    process.env.PATH = path
  }
})
