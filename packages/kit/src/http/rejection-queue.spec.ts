import { setImmediate as endOfTick } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import { expect, it } from 'vitest'
import { RejectionQueue } from './rejection-queue.js'

/** Rejects `count` requests in one tick. @returns how many responses each of the next ticks wrote */
async function rejectAll(count: number, maxTickMs: number, ticks: number): Promise<number[]> {
  let written = 0
  const response = { writeHead: () => undefined, end: () => written++ }
  const reply = { request: { id: 'id', url: '/api/payments', server: {} }, raw: response }
  const queue = new RejectionQueue(maxTickMs)
  for (let i = 0; i < count; i++) {
    queue.add({ ...reply, hijack: () => reply } as unknown as FastifyReply)
  }
  const perTick: number[] = []
  for (let tick = 0; tick < ticks; tick++) {
    const before = written
    await endOfTick()
    perTick.push(written - before)
  }
  return perTick
}

it('writes all rejections in one tick if there is time', async () => {
  expect(await rejectAll(10, 1_000, 2)).toEqual([10, 0])
})

it('continues in the next tick when the time is used up', async () => {
  expect(await rejectAll(3, 0, 4)).toEqual([1, 1, 1, 0])
})
