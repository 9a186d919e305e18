import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startChild } from '../src/child.js'

const script = (text: string) => [process.execPath, '--input-type=module', '--eval', text]

it('reads all that a child wrote before it tells the end', async () => {
  const lines: string[] = []
  const child = startChild({
    command: script('console.log("one\\ntwo"); console.error("three"); process.exit(3)'),
    lastSignal: 'SIGKILL',
    onLine: (line) => lines.push(line),
  })
  expect(await child.exited).toBe(3)
  expect(lines.toSorted()).toEqual(['one', 'three', 'two'])
})

it('tells an end that nobody asked for, and no other', async () => {
  const told: number[] = []
  const options = {
    lastSignal: 'SIGKILL',
    onUnexpectedExit: (code: number) => told.push(code),
  } as const
  const asked = startChild({ ...options, command: script('setInterval(() => {}, 1000)') })
  expect(await asked.end('SIGTERM', 5000)).toBe(143)
  const own = startChild({ ...options, command: script('process.exit(7)') })
  await own.exited
  expect(told).toEqual([7])
})

it('kills a child that does not end in time', async () => {
  const child = startChild({
    command: script(
      'process.on("SIGTERM", () => {}); console.log("here"); setInterval(() => {}, 9)',
    ),
    lastSignal: 'SIGKILL',
    onLine: () => ready(),
  })
  let ready = () => {}
  await new Promise<void>((resolve) => (ready = resolve))
  expect(await child.end('SIGTERM', 200)).toBe(137)
})

it('says that a program is not there', async () => {
  const lines: string[] = []
  const child = startChild({
    command: ['/no/such/program'],
    lastSignal: 'SIGKILL',
    onLine: (line) => lines.push(line),
  })
  expect(await child.exited).not.toBe(0)
  expect(lines.join()).toContain('/no/such/program')
})

it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL', 'exception'])(
  'leaves no child behind after %s',
  async (how) => {
    const module = join(import.meta.dirname, '../dist/child.js')
    const parent = spawn(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { startChild } from ${JSON.stringify(module)}
       startChild({
         // It speaks for itself: before setpriv has run, the kernel does not know what to do yet.
         command: ['sh', '-c', 'echo $$; exec sleep 60'],
         lastSignal: 'SIGKILL',
         onLine: (pid) => console.log(pid),
       })
       process.stdin.on('data', () => { throw new Error('as the test wants it') })`,
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

/** A process that has ended may still be listed until its new parent has taken notice. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
