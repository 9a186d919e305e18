import { type Redis, type RedisOptions, startRedis } from '@malipo/local/redis'
import { onTestFinished } from 'vitest'

/** Starts a server for the current test, which stops it. @throws if none is installed */
export async function startTestRedis(options: RedisOptions = {}): Promise<Redis> {
  const redis = await startRedis(options)
  if (!redis) throw new Error('the tests need redis-server or valkey-server on the PATH')
  onTestFinished(redis.stop)
  return redis
}
