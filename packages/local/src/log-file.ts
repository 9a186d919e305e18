/**
 * The output of `make up`: every line goes to one file per program; warnings and errors of the services also
 * go to the terminal, in a short form.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes the lines of one program to its file. The first line truncates the file. So a second `make up`
 * that fails before starting any program leaves the logs of the first intact.
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

/**
 * The short form of a JSON log line, `12:00:00 auth warn message {fields}`; undefined if the line belongs
 * only in the file.
 */
export function forTerminal(line: string): string | undefined {
  const entry = parse(line)
  // A line that is not JSON comes from Node: a crash or a warning.
  if (entry === undefined) return line.trim() === '' ? undefined : line
  const { level, time, service, msg, ...rest } = entry
  if (!SHOWN.has(String(level))) return undefined
  const parts = [String(time).slice(11, 19), service, level, msg].map(String)
  return [...parts, ...(Object.keys(rest).length > 0 ? [JSON.stringify(rest)] : [])].join(' ')
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
