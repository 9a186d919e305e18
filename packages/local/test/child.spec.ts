import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startChild } from '../src/child.js'

const script = (text: string) => [process.execPath, '--input-type=module', '--eval', text]

it('reads all output of a child before it reports the exit', async () => {
  const lines: string[] = []
  const child = startChild({
    command: script('console.log("one\\ntwo"); console.error("three"); process.exit(3)'),
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => lines.push(line),
  })
  expect(await child.exited).toBe(3)
  expect(lines.toSorted()).toEqual(['one', 'three', 'two'])
})

it('reports an unexpected exit, and not a requested one', async () => {
  const exitCodes: number[] = []
  const options = {
    parentDeathSignal: 'SIGKILL',
    onUnexpectedExit: (code: number) => exitCodes.push(code),
  } as const
  const stopped = startChild({ ...options, command: script('setInterval(() => {}, 1000)') })
  expect(await stopped.end('SIGTERM', 5000)).toBe(143)
  const crashed = startChild({ ...options, command: script('process.exit(7)') })
  await crashed.exited
  expect(exitCodes).toEqual([7])
})

it('kills a child that does not exit in time', async () => {
  const child = startChild({
    command: script(
      'process.on("SIGTERM", () => {}); console.log("here"); setInterval(() => {}, 9)',
    ),
    parentDeathSignal: 'SIGKILL',
    onLine: () => ready(),
  })
  let ready = () => {}
  await new Promise<void>((resolve) => (ready = resolve))
  expect(await child.end('SIGTERM', 200)).toBe(137)
})

it('names a program that does not exist', async () => {
  const lines: string[] = []
  const child = startChild({
    command: ['/no/such/program'],
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => lines.push(line),
  })
  expect(await child.exited).not.toBe(0)
  expect(lines.join()).toContain('/no/such/program')
})

it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL', 'exception'])(
  'leaves no child process running after %s',
  async (how) => {
    const module = join(import.meta.dirname, '../dist/child.js')
    const parent = spawn(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { startChild } from ${JSON.stringify(module)}
       startChild({
         // The output shows that setpriv has run: before that, the kernel would not kill the child.
         command: ['sh', '-c', 'echo $$; exec sleep 60'],
         parentDeathSignal: 'SIGKILL',
         onLine: (pid) => console.log(pid),
       })
       process.stdin.on('data', () => { throw new Error('thrown by the test') })`,
    ])
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const pid = Number(line)
    expect(isRunning(pid)).toBe(true)
    if (how === 'exception') parent.stdin.write('now\n')
    else parent.kill(how as NodeJS.Signals)
    await once(parent, 'exit')
    for (let tries = 0; isRunning(pid) && tries < 250; tries++) await sleep(20)
    expect(isRunning(pid)).toBe(false)
  },
)

/** False also for a zombie, that is, a process that has exited but whose new parent has not reaped it yet. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
