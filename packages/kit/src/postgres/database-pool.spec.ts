import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DeadlineExceeded } from '../worker/batch.js'
import { DatabasePool } from './database-pool.js'

/** A pool on a server that does not speak PostgreSQL's protocol. */
async function poolOn(onConnection: (socket: Socket) => void, max = 5) {
  let accepted = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    accepted++
    sockets.add(socket.on('error', () => undefined))
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const pool = new DatabasePool({ host: '127.0.0.1', port, user: 'u', password: 'p', max })
  return { pool, accepted: () => accepted }
}

const within = (ms: number) => performance.now() + ms
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a call for a connection', () => {
  it('fails at its deadline while the server does not answer', async () => {
    const { pool } = await poolOn(() => undefined)
    const begunAt = performance.now()
    const errors = await Promise.all([200, 400].map((ms) => errorOf(pool.acquire(within(ms)))))
    for (const error of errors) expect(error).toBeInstanceOf(DeadlineExceeded)
    expect(performance.now() - begunAt).toBeGreaterThan(390)
    expect(performance.now() - begunAt).toBeLessThan(1_000)
  })

  it('fails at its deadline with the error of the last attempt', async () => {
    const { pool } = await poolOn((socket) => socket.destroy())
    await errorOf(pool.acquire(within(5_000)))
    const [first, second] = await Promise.all([
      errorOf(pool.acquire(within(5_000))),
      errorOf(pool.acquire(within(20))),
    ])
    expect(first).toMatchObject({ message: expect.stringMatching(/terminated|ECONNRESET/) })
    expect(second).toBeInstanceOf(DeadlineExceeded)
    expect((second as Error).cause).toBeInstanceOf(Error)
  })
})

describe('while connections can’t be opened', () => {
  it('one attempt at a time is made, with a pause between two', async () => {
    const { pool, accepted } = await poolOn((socket) => socket.destroy())
    const stop = within(2_000)
    const caller = async () => {
      while (performance.now() < stop) await errorOf(pool.acquire(stop))
    }
    const callers = Array.from({ length: 30 }, caller)
    await sleep(500)
    const before = accepted()
    expect(before).toBeLessThan(15)
    await Promise.all(callers)
    // Each pause takes 188 to 250 ms.
    expect(accepted() - before).toBeGreaterThan(1)
    expect(accepted() - before).toBeLessThan(10)
  })

  it('an attempt without an answer holds back the next one for a second only', async () => {
    let isLossy = false
    const { pool, accepted } = await poolOn((socket) => void (isLossy || socket.destroy()))
    await errorOf(pool.acquire(within(5_000)))
    isLossy = true
    await errorOf(pool.acquire(within(2_600)))
    // One attempt, and two more after a second each.
    expect(accepted()).toBeGreaterThan(2)
    expect(accepted()).toBeLessThan(5)
  })
})
