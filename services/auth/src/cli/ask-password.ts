import { stderr, stdin } from 'node:process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { UsageError } from '@malipo/kit/command'

/** Reads a line of standard input, without echo on a terminal. The prompt goes to standard error. */
export async function askPassword(): Promise<string> {
  if (stdin.isTTY) stderr.write('Password: ')
  // On a terminal, readline itself echoes the input; this stream discards the echo.
  const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: discard, terminal: stdin.isTTY })
  lines.once('SIGINT', () => lines.close())
  try {
    for await (const line of lines) return line
    throw new UsageError('no password was given')
  } finally {
    lines.close()
    if (stdin.isTTY) stderr.write('\n')
  }
}
