import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

const LISTEN = `const server = require('node:net').createServer()
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.send(server.address().port))`

/** A port that drops new connections, because the queue of those that are not accepted is full. */
export async function startFullBacklog(): Promise<number> {
  const child = spawn(process.execPath, ['-e', LISTEN], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const port = await portOf(child)
  child.kill('SIGSTOP')
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
  })
  let isFull = false
  while (!isFull) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    isFull = await Promise.race([once(socket, 'connect').then(() => false), sleep(500, true)])
  }
  return port
}

async function portOf(child: ChildProcess): Promise<number> {
  const [port] = (await once(child, 'message')) as [number]
  return port
}
