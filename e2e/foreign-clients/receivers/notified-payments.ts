import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@malipo/local/free-port'
import { check } from '../../checks.ts'
import { newPayment } from './catch-up.ts'
import type { Program } from './programs.ts'
import { type Received, type Receiver, startReceiver } from './receiver.ts'
import type { Merchant } from './services.ts'

/**
 * Registers each receiver as an endpoint, makes payments succeed, and rotates the secrets. Every delivery must be
 * verified: before the rotation, with the old secret during the overlap, and with the new one.
 */

const PAYMENTS = 5
const RECEIVE_LIMIT_MS = 60_000
const PATH = '/api/webhook-endpoints'

/** An endpoint and its receiver. */
interface Registered {
  readonly id: string
  readonly program: Program
  readonly port: number
  receiver: Receiver
  /** What earlier processes of the receiver have printed. */
  earlier: readonly Received[]
}

/** @returns the secret of `v1`, or the public key of `v1a` */
function secretIn(response: Record<string, unknown>): string {
  return (response.secret ?? response.publicKey) as string
}

async function register(merchant: Merchant, program: Program): Promise<Registered> {
  const port = await freePort()
  const endpoint = await merchant.call('POST', PATH, {
    url: `http://127.0.0.1:${port}/`,
    events: ['payment.*'],
    scheme: program.scheme,
  })
  const receiver = await startReceiver(program, secretIn(endpoint), port)
  return { id: endpoint.id as string, program, port, receiver, earlier: [] }
}

const receivedBy = ({ earlier, receiver }: Registered) => [...earlier, ...receiver.received]

/** Reads the feed from a cursor to its end. */
async function readFeed({ call }: Merchant, cursor?: string) {
  const events: { id: string; type: string }[] = []
  let next = cursor
  for (let hasMore = true; hasMore;) {
    const from: string = next === undefined ? '' : `&cursor=${next}`
    const page = await call('GET', `/api/events?limit=100${from}`)
    events.push(...(page.data as typeof events))
    next = page.nextCursor as string
    hasMore = page.hasMore as boolean
  }
  return { events, cursor: next }
}

/** The events that endpoints get. */
async function notifiedSince(merchant: Merchant, cursor?: string): Promise<Set<string>> {
  const { events } = await readFeed(merchant, cursor)
  return new Set(events.filter(({ type }) => type !== 'payment.created').map(({ id }) => id))
}

/**
 * Waits until each receiver has got each event.
 * @throws if one did not verify a delivery, or lacks an event
 */
async function assertAllVerified(registered: readonly Registered[], expected: Set<string>) {
  const missing = (one: Registered) => {
    const ids = new Set(receivedBy(one).map(({ id }) => id))
    return [...expected].filter((id) => !ids.has(id))
  }
  const deadline = Date.now() + RECEIVE_LIMIT_MS
  while (registered.some((one) => missing(one).length > 0) && Date.now() < deadline) {
    await sleep(100)
  }
  for (const one of registered) {
    const rejected = receivedBy(one).filter(({ verified }) => !verified)
    if (rejected.length > 0) {
      throw new Error(`${one.program.name} rejected ${JSON.stringify(rejected)}`)
    }
    if (missing(one).length > 0) {
      throw new Error(`${one.program.name} lacks ${missing(one).length} of ${expected.size} events`)
    }
  }
  return `${expected.size} events to ${registered.length} receivers`
}

async function makePayments(merchant: Merchant): Promise<void> {
  for (let n = 0; n < PAYMENTS; n++) await newPayment(merchant, 'PENDING', 'SUCCESS')
}

/** Rotates the secret of an endpoint. @returns the new secret */
async function rotate({ call }: Merchant, { id }: Registered): Promise<string> {
  return secretIn(await call('POST', `${PATH}/${id}/rotate-secret`, {}))
}

/** Starts the receiver again with another secret. */
async function restart(one: Registered, secret: string): Promise<void> {
  await one.receiver.stop()
  one.earlier = receivedBy(one)
  one.receiver = await startReceiver(one.program, secret, one.port)
}

export async function checkNotifiedPayments(
  merchant: Merchant,
  programs: readonly Program[],
): Promise<void> {
  const registered: Registered[] = []
  const secrets = new Map<Registered, string>()
  const { cursor } = await readFeed(merchant)
  const notify = async () => {
    await makePayments(merchant)
    return assertAllVerified(registered, await notifiedSince(merchant, cursor))
  }
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    'registers the receivers as endpoints': async () => {
      for (const program of programs) registered.push(await register(merchant, program))
    },
    'every receiver verifies the notifications of payments': notify,
    'with its old secret after a rotation': async () => {
      for (const one of registered) secrets.set(one, await rotate(merchant, one))
      return notify()
    },
    'with its new secret': async () => {
      for (const [one, secret] of secrets) await restart(one, secret)
      return notify()
    },
  }
  try {
    for (const [title, step] of Object.entries(steps)) if (!(await check(title, step))) break
  } finally {
    for (const { receiver } of registered) await receiver.stop()
  }
}
