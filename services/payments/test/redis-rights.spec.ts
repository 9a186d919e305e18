import { readFileSync } from 'node:fs'
import type { Service } from '@malipo/local/process'
import { type Redis, startRedis } from '@malipo/local/redis'
import { Client } from '@malipo/testing/client'
import { freshDatabase } from '@malipo/testing/database'
import { Redis as RedisClient } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { newUser, startAuth } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { sendRequest, untilRedisCircuitCloses, validateCallsOf } from './token-fixture.js'

/** Both services with a Redis whose users have exactly the rights that the documentation states. */

const DOCS = new URL('../../../docs/configuration.md', import.meta.url)
const LIMIT = 10

let redis: Redis
let admin: RedisClient
let auth: Service
let payments: Payments
let replica: Payments

beforeAll(async () => {
  const started = await startRedis()
  if (!started) throw new Error('Redis is not installed')
  redis = started
  admin = new RedisClient(redis.url)
  const users = readFileSync(DOCS, 'utf8').match(/(?<=^user )\w+ on >PASSWORD .*/gm) ?? []
  if (users.length !== 2) throw new Error('docs/configuration.md has a line for each service')
  for (const user of users) await admin.call('ACL', 'SETUSER', ...user.split(' '))
  await admin.call('ACL', 'SETUSER', 'default', 'off')
  const account = (user: string) => ({
    REDIS_URL: redis.url,
    REDIS_USERNAME: user,
    REDIS_PASSWORD: 'PASSWORD',
  })
  const DATABASE_URL = await freshDatabase('auth')
  const limit = { REFUSALS_PER_MINUTE: String(LIMIT) }
  auth = await startAuth({ DATABASE_URL, ...limit, ...account('auth') })
  payments = await startPayments({ AUTH_SERVICE_URL: auth.url, ...account('payments') })
  replica = await payments.replica()
  await untilRedisCircuitCloses(payments, replica)
})
afterAll(async () => {
  admin.disconnect()
  await Promise.all([payments.close(), replica.close()])
  await auth.kill()
  await redis.stop()
})

const health = async (url: string) => (await new Client(url).get('/health')).body

it('a token is cached for all replicas until its logout, which all replicas learn of', async () => {
  const user = await newUser(auth.url)
  expect((await sendRequest(user, payments)).status).toBe(200)
  const calls = await validateCallsOf(auth)
  const cached = async () => {
    expect((await sendRequest(user, replica)).status).toBe(200)
    return (await validateCallsOf(auth)) - calls
  }
  expect(await cached()).toBe(0)
  const { token } = user
  const { status } = await new Client(auth.url).send('POST', '/api/auth/logout', { token })
  expect(status).toBe(204)
  for (const each of [payments, replica]) {
    await expect.poll(async () => (await sendRequest(user, each)).status).toBe(401)
  }
  expect(await validateCallsOf(auth)).toBe(calls)
})

it('rejected logins of a network are counted in Redis', async () => {
  const client = new Client(auth.url)
  const login = async (i: number) => {
    const body = { phone: `+2567720000${10 + i}`, password: 'a wrong password' }
    return (await client.post('/api/auth/login', body)).status
  }
  const statuses = []
  for (let i = 0; i <= LIMIT; i++) statuses.push(await login(i))
  expect(statuses.at(-1)).toBe(429)
  const [key = ''] = await admin.keys('auth:login-network:*')
  expect(Number(await admin.get(key))).toBe(LIMIT)
})

it('Redis refuses no command of either service', async () => {
  expect(await admin.call('ACL', 'LOG')).toEqual([])
  expect((await health(auth.url)).details.redis.status).toBe('up')
  expect((await payments.client.get('/health')).body.details.redis.status).toBe('up')
})
