/**
 * Starts child processes that never outlive their parent: not after an exception or Ctrl-C and, on Linux,
 * not even after SIGKILL.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from './find-program.js'

export interface ChildOptions {
  /** The program and its arguments. */
  command: readonly string[]
  env?: NodeJS.ProcessEnv
  /** Arguments for setpriv(1) that set the user; default: the parent's user. */
  runAs?: readonly string[]
  /** The signal that the child gets if its parent exits without stopping it. */
  parentDeathSignal: NodeJS.Signals
  /** Called with each line of standard output and of standard error. */
  onLine?: (line: string) => void
  /** Called when the process exits without a call to `end`. */
  onUnexpectedExit?: (exitCode: number) => void
}

export interface Child {
  readonly pid: number
  readonly running: boolean
  /** The exit code, after all output has been read; 128 + n for signal n. */
  readonly exited: Promise<number>
  /** Sends the signal and waits for the exit; if the process still runs after `limitMs`, sends SIGKILL. */
  readonly end: (signal: NodeJS.Signals, limitMs: number) => Promise<number>
}

const running = new Map<ChildProcess, NodeJS.Signals>()

export function startChild(options: ChildOptions): Child {
  killChildrenOnExit()
  const command = [...setpriv(options), ...options.command]
  const child = spawn(command[0]!, command.slice(1), {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // In a separate session the child doesn't get Ctrl-C from the terminal, so that its parent can stop the
    // children in the right order.
    detached: true,
  })
  running.set(child, options.parentDeathSignal)
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => options.onLine?.(line))
  }

  let isRunning = true
  let isEnding = false
  const exited = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) finish(127, `${command[0]}: ${error.message}`)
    })
    child.once('close', (code, signal) => finish(code ?? 128 + constants.signals[signal!]))
    function finish(exitCode: number, line?: string) {
      isRunning = false
      running.delete(child)
      if (line !== undefined) options.onLine?.(line)
      if (!isEnding) options.onUnexpectedExit?.(exitCode)
      resolve(exitCode)
    }
  })

  async function end(signal: NodeJS.Signals, limitMs: number): Promise<number> {
    isEnding = true
    child.kill(signal)
    const timer = new AbortController()
    const killing = sleep(limitMs, undefined, { signal: timer.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    )
    const exitCode = await exited
    timer.abort()
    await killing
    return exitCode
  }

  return {
    pid: child.pid ?? -1,
    get running() {
      return isRunning
    },
    exited,
    end,
  }
}

/** On Linux, setpriv asks the kernel to signal the child when its parent dies for any reason. */
function setpriv({ runAs = [], parentDeathSignal }: ChildOptions): string[] {
  const program = process.platform === 'linux' ? findProgram('setpriv') : undefined
  if (program !== undefined) {
    return [program, '--pdeathsig', parentDeathSignal.replace('SIG', ''), ...runAs, '--']
  }
  if (runAs.length > 0) throw new Error('setpriv (from util-linux) is not on the PATH')
  return []
}

let isInstalled = false

/** Signals the children when this process exits, for systems whose kernel does not do so. */
function killChildrenOnExit() {
  if (isInstalled) return
  isInstalled = true
  process.once('exit', () => {
    for (const [child, signal] of running) killGroup(child, signal)
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // A listener disables the signal's default action, so exit here if this is the only listener.
    // Otherwise the other listener (`make up`, vitest) decides when to exit.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal])
    })
  }
}

/** Signals the child's process group, which includes the programs that the child started. */
function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals) {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // The child has just exited.
  }
}
