/**
 * The output of `make up`: every line goes to one file per program; warnings and errors of the services also
 * go to the terminal, in a short form.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes the lines of one program to its file. The file is truncated at the first line, so that a second
 * `make up` that fails at once leaves the log of the running programs intact.
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
 * A JSON line in short form, `12:00:00 auth warn message {fields}`; undefined if the line is only for
 * the file.
 */
export function forTerminal(line: string): string | undefined {
  const entry = parse(line)
  // Lines that are not JSON come from Node: a crash or a warning.
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
