import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@malipo/testing/until'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AIRTEL_URL,
  airtelCallback,
  attemptUrl,
  type CallbackStage,
  sendBytes,
  startCallbacks,
  statusOfLength,
  unsignedCallback,
} from './callback-stage.js'

let stage: CallbackStage
beforeEach(async () => {
  // One address sends all requests, of which some are invalid.
  stage = await startCallbacks({ INVALID_REQUESTS_PER_MINUTE: '1' })
})
afterEach(() => stage.close())

const PER_SECOND = 200

/** Sends at this rate. A slow machine sends what it has missed at once. */
async function sendFor(seconds: number, send: (nth: number) => Promise<number | undefined>) {
  const sent: Promise<number | undefined>[] = []
  const startedAt = performance.now()
  while (sent.length < seconds * PER_SECOND) {
    const due = (PER_SECOND * (performance.now() - startedAt)) / 1_000
    while (sent.length < Math.min(due, seconds * PER_SECOND)) sent.push(send(sent.length))
    await sleep(5)
  }
  return Promise.all(sent)
}

describe('200 callbacks a second from one address', () => {
  /** The nth callback: of an attempt, or signed by Airtel. */
  const send = (nth: number) =>
    nth % 2 === 0
      ? sendBytes(stage, attemptUrl('mtn-ug'), Buffer.from(`{"n":${nth}}`))
      : sendBytes(stage, AIRTEL_URL, Buffer.from(airtelCallback(`reference${nth}`)))

  it.each([
    ['while the store is quick', 0],
    ['while each waits for 500 ms', 500],
    ['while all wait for a failover of 3 s', 3_000],
  ])('are stored, %s', async (_, waitMs) => {
    const released = sleep(waitMs)
    stage.store.work = () => (waitMs === 3_000 ? released : sleep(waitMs))
    for (let i = 0; i < 3; i++) {
      expect(await statusOfLength(stage, attemptUrl('mtn-ug'), 65_537)).toBe(413)
    }
    const statuses = await sendFor(3, send)
    expect(statuses).toEqual(Array(3 * PER_SECOND).fill(200))
    expect(await stage.messages()).toHaveLength(3 * PER_SECOND)
  })
})

it('unsigned callbacks that wait displace no signed one', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  stage.store.work = ({ reading }) => (reading.verdict === 'signed' ? Promise.resolve() : promise)
  const { reference } = await stage.addAttempt('airtel-ug')
  const unsigned = (nth: number) =>
    sendBytes(stage, AIRTEL_URL, Buffer.from(unsignedCallback(`forged${nth}`)))
  const waiting = Array.from({ length: 250 }, (_, nth) => unsigned(nth))
  await until(() => stage.store.calls === waiting.length)
  expect(await unsigned(250)).toBe(503)
  expect(await stage.count('airtel-ug', 'overloaded')).toBe(1)
  expect(await sendBytes(stage, AIRTEL_URL, Buffer.from(airtelCallback(reference)))).toBe(200)
  resolve()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([404]))
  expect(await unsigned(251)).toBe(404)
})

it('a callback is stored although its sender disconnects', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  stage.store.work = () => promise
  const socket = connect(stage.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`POST ${attemptUrl('mtn-ug')} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`)
  await until(() => stage.store.calls === 1)
  socket.destroy()
  await until(() => stage.lines.some((line) => line.includes('"status":499')))
  resolve()
  await until(async () => (await stage.messages()).length === 1)
  expect(await stage.count('mtn-ug', 'parked')).toBe(1)
})

it('a signed callback whose sender disconnects is applied, and a shutdown waits for that', async () => {
  const { reference } = await stage.addAttempt('airtel-ug')
  const stored = Promise.withResolvers<void>()
  const applied = Promise.withResolvers<void>()
  let isApplying = false
  stage.store.work = () => stored.promise
  stage.store.application = () => {
    isApplying = true
    return applied.promise
  }
  const body = airtelCallback(reference)
  const socket = connect(stage.port, '127.0.0.1')
  await once(socket, 'connect')
  const head = `POST ${AIRTEL_URL} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`
  socket.write(head + body)
  await until(() => stage.store.calls === 1)
  socket.destroy()
  await until(() => stage.lines.some((line) => line.includes('"status":499')))
  stored.resolve()
  await until(() => isApplying)
  const closed = stage.close().then(() => stage.store.applied.length)
  await sleep(200)
  applied.resolve()
  expect(await closed).toBe(1)
  stage = await startCallbacks()
})
