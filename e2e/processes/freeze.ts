import { readFileSync } from 'node:fs'

/** Stops processes as a host that freezes does: their connections stay open, and nothing answers. */

/** A process and those that it started, itself first. */
export function treeOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  return [pid, ...children.filter(Boolean).map(Number)]
}

export function freeze(pids: readonly number[]): readonly number[] {
  return signal(pids, 'SIGSTOP')
}

export function thaw(pids: readonly number[]): readonly number[] {
  return signal(pids, 'SIGCONT')
}

function signal(pids: readonly number[], name: NodeJS.Signals): readonly number[] {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch (error) {
      // A connection's process may have ended meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return pids
}
