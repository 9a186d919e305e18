/**
 * Where the lines of `make up` go: all of them into a file for each program, and to the terminal those
 * of the services that a person should see, in a form that is read at a glance.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes the lines of one program to its file, which begins anew with each start: at the first line,
 * so that a start which finds everything running already leaves the log of what runs alone.
 */
export function logTo(path: string): (line: string) => void {
  let file: WriteStream | undefined
  return (line) => {
    file ??= open(path)
    file.write(`${line}\n`)
  }
}

function open(path: string): WriteStream {
  mkdirSync(dirname(path), { recursive: true })
  return createWriteStream(path, { mode: 0o600 })
}

const SHOWN = new Set(['warn', 'error', 'fatal'])

/** A service's JSON line as `12:00:00 auth warn text {more}`; undefined when it is only for the file. */
export function forTerminal(line: string): string | undefined {
  const entry = parse(line)
  // What is not JSON comes from Node itself: a crash, a warning.
  if (entry === undefined) return line.trim() === '' ? undefined : line
  const { level, time, service, msg, ...rest } = entry
  if (!SHOWN.has(String(level))) return undefined
  const words = [String(time).slice(11, 19), service, level, msg].map(String)
  return [...words, ...(Object.keys(rest).length > 0 ? [JSON.stringify(rest)] : [])].join(' ')
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
