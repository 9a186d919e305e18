import { stderr, stdin } from 'node:process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { UsageError } from './operator-command.js'

/**
 * Reads the password from standard input: a line of a pipe, or typed at a terminal without echo. The prompt
 * goes to standard error, so that standard output contains only the result.
 */
export async function askPassword(): Promise<string> {
  if (stdin.isTTY) stderr.write('Password: ')
  // On a terminal, readline itself echoes the input, here to a stream that discards it.
  const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: discard, terminal: stdin.isTTY })
  try {
    return await firstLine(lines)
  } finally {
    lines.close()
    if (stdin.isTTY) stderr.write('\n')
  }
}

function firstLine(lines: ReturnType<typeof createInterface>): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once('line', resolve)
    // Also on Ctrl-C and Ctrl-D.
    lines.once('close', () => reject(new UsageError('no password was given')))
    lines.once('SIGINT', () => lines.close())
  })
}
