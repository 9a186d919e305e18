import { stdin, stderr } from 'node:process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { OrderError } from './order.js'

/**
 * Reads the password from standard input: a line of a pipe, or typed at a terminal, where it is not
 * shown. The question goes to standard error, so that standard output has the result alone.
 */
export async function askPassword(): Promise<string> {
  if (stdin.isTTY) stderr.write('Password: ')
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // As a terminal, readline itself echoes what is typed: to nowhere.
  const lines = createInterface({ input: stdin, output: nowhere, terminal: stdin.isTTY })
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
    // Ctrl-C and Ctrl-D close it too.
    lines.once('close', () => reject(new OrderError('no password was given')))
    lines.once('SIGINT', () => lines.close())
  })
}
