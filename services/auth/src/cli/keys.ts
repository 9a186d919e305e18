import { readKeysEnv } from '../env.js'
import { errorLines } from './error-lines.js'
import { parseKeyCommand, runKeyCommand } from './key-command.js'

/** Creates and rotates the key set that signs tokens. It needs no database. */
try {
  const env = readKeysEnv()
  const command = parseKeyCommand(process.argv.slice(2), env.JWT_KEYS_DIR)
  const now = Math.floor(Date.now() / 1000)
  const lines = runKeyCommand(command, { now, tokenLifetimeSeconds: env.JWT_EXPIRES_IN })
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
} catch (error) {
  for (const line of errorLines(error)) process.stderr.write(`keys: ${line}\n`)
  process.exitCode = 1
}
