import { ConfigurationError } from '@malipo/kit/config/env'
import { readKeysEnv } from './env.js'
import { parseKeyOrder, runKeyOrder } from './keys/key-command.js'
import { KeySetError } from './tokens/key-set.js'

/** Makes and rotates the key set that signs tokens: see `keys/key-command.ts`. It reaches no database. */
try {
  const env = readKeysEnv()
  const order = parseKeyOrder(process.argv.slice(2), env.JWT_KEYS_DIR)
  const now = Math.floor(Date.now() / 1000)
  const lines = runKeyOrder(order, { now, tokenLife: env.JWT_EXPIRES_IN })
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
} catch (error) {
  const lines =
    error instanceof ConfigurationError
      ? error.lines
      : [error instanceof KeySetError ? error.message : String(error)]
  for (const line of lines) process.stderr.write(`keys: ${line}\n`)
  process.exitCode = 1
}
