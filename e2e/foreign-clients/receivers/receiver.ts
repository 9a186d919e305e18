import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '@malipo/local/child'
import { freePort } from '@malipo/local/free-port'
import type { Program } from './programs.ts'

/** What a receiver prints for each request. */
export interface Received {
  readonly id: string | null
  readonly verified: boolean
  readonly isNew?: boolean
  readonly type?: string
}

/** A running receiver. */
export interface Receiver {
  readonly program: Program
  readonly url: string
  /** In the order of requests. */
  readonly received: readonly Received[]
  /** Waits for an entry, since a line may be read after the response; undefined after 5 seconds. */
  entry(index: number): Promise<Received | undefined>
  stop(): Promise<unknown>
}

const START_LIMIT_MS = 30_000
const ENTRY_LIMIT_MS = 5_000
const STOP_LIMIT_MS = 5_000

/** @param secret `whsec_…`, or `whpk_…` for `v1a` */
export async function startReceiver(
  program: Program,
  secret: string,
  port?: number,
): Promise<Receiver> {
  const usedPort = port ?? (await freePort())
  const received: Received[] = []
  const others: string[] = []
  const child = startChild({
    command: program.command,
    env: { ...process.env, PORT: String(usedPort), WEBHOOK_SECRET: secret },
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => {
      const json = /\{.*\}$/.exec(line)?.[0]
      if (json === undefined) others.push(line)
      else received.push(JSON.parse(json) as Received)
    },
  })
  const receiver = {
    program,
    url: `http://127.0.0.1:${usedPort}`,
    received,
    async entry(index: number) {
      const deadline = Date.now() + ENTRY_LIMIT_MS
      while (received.length <= index && Date.now() < deadline) await sleep(5)
      return received[index]
    },
    stop: () => child.end('SIGTERM', STOP_LIMIT_MS),
  }
  for (const deadline = Date.now() + START_LIMIT_MS; !(await isListening(usedPort));) {
    if (!child.running || Date.now() > deadline) {
      await receiver.stop()
      throw new Error(`${program.name} does not listen:\n${others.join('\n')}`)
    }
    await sleep(50)
  }
  return receiver
}

function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}
