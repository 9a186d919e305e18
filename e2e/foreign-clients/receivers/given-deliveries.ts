import { check } from '../../checks.ts'
import { type Delivery, delivery, newKey, send } from './deliveries.ts'
import type { Program, Scheme } from './programs.ts'
import { type Receiver, startReceiver } from './receiver.ts'

/** Checks a receiver with deliveries that are valid, and with others that differ in one respect. */

interface Case {
  readonly title: string
  readonly delivery: Delivery
  readonly verified: boolean
}

const other = (scheme: Scheme): Scheme => (scheme === 'v1' ? 'v1a' : 'v1')

function changedByte({ body, ...rest }: Delivery): Delivery {
  const changed = Buffer.from(body)
  changed[body.indexOf('3')] = '4'.charCodeAt(0)
  return { ...rest, body: changed }
}

function cases(scheme: Scheme, own: ReturnType<typeof newKey>): readonly Case[] {
  const [previous, foreign] = [newKey(scheme), newKey(other(scheme))]
  const valid = delivery([own])
  const accepts = (title: string, one: Delivery) => ({
    title: `accepts ${title}`,
    delivery: one,
    verified: true,
  })
  const rejects = (title: string, one: Delivery) => ({
    title: `rejects ${title}`,
    delivery: one,
    verified: false,
  })
  return [
    accepts('a valid delivery', valid),
    accepts('the same delivery again', valid),
    accepts('a delivery with a second, older secret', delivery([own, previous])),
    accepts('a delivery with a second, newer secret', delivery([previous, own])),
    accepts('a delivery with a signature of another scheme', delivery([foreign, own])),
    accepts('a timestamp 4 minutes ago', delivery([own], 240)),
    rejects('a body with a changed byte', changedByte(delivery([own]))),
    rejects('a changed id', { ...delivery([own]), id: valid.id }),
    rejects('a changed timestamp', { ...valid, atSeconds: valid.atSeconds + 1 }),
    rejects('a timestamp 6 minutes ago', delivery([own], 360)),
    rejects('a timestamp in 6 minutes', delivery([own], -360)),
    rejects('another secret', delivery([previous])),
    rejects('another scheme', delivery([foreign])),
    rejects('a malformed signature', { ...delivery([own]), signature: `${scheme},%` }),
    rejects('a signature without its scheme', { ...delivery([own]), signature: 'x' }),
  ]
}

async function checkCase(receiver: Receiver, one: Case): Promise<void> {
  const before = receiver.received.length
  const status = await send(receiver.url, one.delivery)
  const expected = one.verified ? 204 : 400
  if (status !== expected) throw new Error(`answered ${status} instead of ${expected}`)
  const entry = await receiver.entry(before)
  if (entry?.id !== one.delivery.id || entry.verified !== one.verified) {
    throw new Error(`printed ${JSON.stringify(receiver.received.slice(before))}`)
  }
}

/** @param port where the program listens, if its command has the port */
export async function checkGivenDeliveries(program: Program, port?: number): Promise<void> {
  const key = newKey(program.scheme)
  let receiver: Receiver | undefined
  await check(`${program.name} starts a receiver`, async () => {
    receiver = await startReceiver(program, key.merchantSecret, port)
  })
  if (!receiver) return
  try {
    for (const one of cases(program.scheme, key)) {
      await check(`${program.name} ${one.title}`, () => checkCase(receiver as Receiver, one))
    }
  } finally {
    await receiver.stop()
  }
}
