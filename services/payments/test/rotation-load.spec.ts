import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@malipo/testing/until'
import { Webhook } from 'standardwebhooks'
import { afterAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { newServer, revokeKey, rotated, type Server } from './api-keys.js'
import { newUser } from './auth.js'
import { endpointsOf, newEndpoint } from './endpoints.js'
import { type Payments, startPayments } from './payments.js'
import { type Received, startReceiver, status } from './receiver.js'
import { as, newPayment } from './requests.js'

/** Rotations while requests and deliveries are in flight all the time: none may be refused. */

const ROTATIONS = 4
const payments = await startPayments({ WEBHOOK_ALLOW_HOSTS: '127.0.0.1' })
const replicas = [payments, await payments.replica()]
afterAll(() => Promise.all(replicas.map((replica) => replica.close())))

/** Repeats work until the end of the test, over several connections to both replicas. */
function load(work: (at: Payments, connection: number) => Promise<unknown>, connections: number) {
  const ended = new AbortController()
  const running = Array.from({ length: connections }, async (_, connection) => {
    const at = replicas[connection % replicas.length] ?? payments
    while (!ended.signal.aborted) await work(at, connection)
  })
  const end = () => {
    ended.abort()
    return Promise.all(running)
  }
  onTestFinished(async () => void (await end()))
  return end
}

describe('rotations of an API key', () => {
  /** The servers of a merchant, each of which reads and creates payments with the key that it has. */
  function startServers(count: number, key: Server) {
    const has = Array<Server>(count).fill(key)
    const answers = new Map<number, number>()
    /** The requests that a server has completed. */
    const completed = Array<number>(count).fill(0)
    const end = load(async (at, server) => {
      const client = as(has[server] ?? key, at)
      const create = (completed[server] ?? 0) % 2 === 0
      const answer = await (create ? client.create() : client.list('?limit=1'))
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1)
      completed[server] = (completed[server] ?? 0) + 1
    }, count)
    /** Resolves when each server has sent a request that began after now. */
    const allUse = () => {
      const before = [...completed]
      return until(() => completed.every((sent, server) => sent >= (before[server] ?? 0) + 2))
    }
    return { has, answers, allUse, end }
  }

  it('refuse no request, although the servers change to the new key one after the other', async () => {
    const user = await newUser()
    const authUrl = inject('authUrl')
    let key = await newServer(authUrl, user)
    const { has, answers, allUse, end } = startServers(6, key)
    for (let n = 0; n < ROTATIONS; n++) {
      await allUse()
      // Each other rotation is repeated, as if its answer were lost.
      if (n % 2 === 1) await rotated(authUrl, user, key, 600)
      const next = await rotated(authUrl, user, key, 600)
      await allUse()
      for (const server of has.keys()) {
        has[server] = next
        await sleep(10)
      }
      await allUse()
      await revokeKey(authUrl, user, key)
      key = next
    }
    await allUse()
    await end()
    expect(new Set(answers.keys())).toEqual(new Set([200, 201]))
    expect(answers.get(201)).toBeGreaterThan(6 * ROTATIONS)
  })
})

describe('rotations of the secret of an endpoint', () => {
  it('refuse no delivery at a server that has one secret at a time', async () => {
    const owner = await newUser()
    const merchant = endpointsOf(owner, payments)
    const receiver = await startReceiver()
    onTestFinished(() => receiver.close())
    const { id, secret } = await newEndpoint(merchant, { url: receiver.url, events: ['*'] })
    let held = secret as string
    const refused: Received[] = []
    receiver.respond = (response, nth) => {
      const last = receiver.received.at(-1)
      const isAccepted = last !== undefined && verifies(held, last)
      if (last && !isAccepted) refused.push(last)
      status(isAccepted ? 204 : 401)(response, nth)
    }
    /** Resolves when deliveries have arrived that this secret verifies. */
    const arrive = (wanted: string) => {
      const before = receiver.received.length
      return until(
        () => receiver.received.slice(before).filter((each) => verifies(wanted, each)).length >= 10,
      )
    }
    const end = load((at) => newPayment(as(owner, at), 'PENDING'), 4)
    for (let n = 0; n < ROTATIONS; n++) {
      await arrive(held)
      if (n % 2 === 1) await merchant.rotate(id, { overlapSeconds: 600 })
      const { body } = await merchant.rotate(id, { overlapSeconds: 600 })
      const next = body.secret as string
      // During the overlap both sign, so that the server may change at any time.
      await arrive(next)
      await delivered(id)
      held = next
      await arrive(next)
      await endOverlap(id)
    }
    await arrive(held)
    await end()
    await delivered(id)
    expect(refused).toEqual([])
    expect(receiver.received.length).toBeGreaterThan(30 * ROTATIONS)
  })

  function verifies(secret: string, { headers, body }: Received): boolean {
    try {
      new Webhook(secret).verify(body, headers as Record<string, string>)
      return true
    } catch {
      return false
    }
  }

  /** Resolves when all deliveries that may have been signed before now are done. */
  async function delivered(id: string) {
    const pending = await payments.sql<{ id: string }>(
      `SELECT id FROM deliveries WHERE endpoint_id = $1 AND state = 'pending'`,
      id,
    )
    const left = `SELECT FROM deliveries WHERE id = ANY ($1) AND state = 'pending'`
    const ids = pending.map((each) => each.id)
    await until(async () => (await payments.sql(left, ids)).length === 0)
  }

  const endOverlap = (id: string) =>
    payments.sql(
      `UPDATE webhook_endpoint_secrets SET expires_at = now()
       WHERE endpoint_id = $1 AND expires_at > now()`,
      id,
    )
})
