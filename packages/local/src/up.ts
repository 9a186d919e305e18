/**
 * `make up`: runs PostgreSQL, Redis (if installed), auth, the simulator and payments on this machine until
 * Ctrl-C, then stops them in reverse order. Their data is in .data/.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isPortFree } from './free-port.js'
import { forTerminal, logTo } from './log-file.js'
import { startPostgres } from './postgres.js'
import { type ProgramName, runToEnd, type ServiceName, startService } from './process.js'
import { startRedis } from './redis.js'
import {
  persistentSecret,
  persistentSecretFile,
  randomWebhookSecret,
  sealKeysFolder,
} from './secret.js'
import {
  AUTH_PORT,
  PAYMENTS_PORT,
  type Running,
  SIMULATOR_PORT,
  startupMessage,
} from './startup-message.js'

const data = join(import.meta.dirname, '../../../.data')
const logs = join(data, 'logs')
const authPort = portFrom('AUTH_PORT', AUTH_PORT)
const paymentsPort = portFrom('PAYMENTS_PORT', PAYMENTS_PORT)
const simulatorPort = portFrom('SIMULATOR_PORT', SIMULATOR_PORT)

/** The started programs in start order; the `stop` of a service returns its exit code. */
const started: { name: string; stop: () => Promise<number | void> }[] = []

const { promise: shutdown, resolve } = Promise.withResolvers<number>()
let isEnding = false
// Ctrl-C may arrive twice: from the terminal, and forwarded by npm.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(0))
// Writing to a closed terminal fails; the shutdown continues without output.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

start().then(
  (running) => isEnding || console.log(startupMessage(running)),
  (error: unknown) => end(1, error instanceof Error ? error.message : String(error)),
)
const exitCode = await shutdown
const isClean = await stopAll()
// Exiting also kills the child processes of an interrupted start.
process.exit(isClean ? exitCode : 1)

async function start(): Promise<Running> {
  await requireFreePort(authPort, 'auth', 'AUTH_PORT')
  await requireFreePort(paymentsPort, 'payments', 'PAYMENTS_PORT')
  await requireFreePort(simulatorPort, 'the simulator', 'SIMULATOR_PORT')

  const postgres = await startPostgres({
    dataDir: join(data, 'postgres'),
    databases: ['auth', 'payments'],
    onLine: logTo(join(logs, 'postgres.log')),
    onUnexpectedExit: (code) => exitedUnexpectedly('PostgreSQL', code),
  })
  started.push({ name: 'PostgreSQL', stop: postgres.stop })
  const redis = await startRedis({
    onLine: logTo(join(logs, 'redis.log')),
    onUnexpectedExit: (code) => exitedUnexpectedly('Redis', code),
  })
  if (redis) started.push({ name: 'Redis', stop: redis.stop })

  const common = { MODE: 'sandbox', REDIS_URL: redis?.url }
  await runService('auth', {
    ...common,
    PORT: String(authPort),
    DATABASE_URL: postgres.url('auth'),
    JWT_SECRET: persistentSecret(join(data, 'secrets/jwt')),
    REFRESH_KEYS_FILE: persistentSecretFile(join(data, 'secrets/refresh-keys')),
  })
  const providers = await runSimulator()
  await runService('payments', {
    ...common,
    PORT: String(paymentsPort),
    DATABASE_URL: postgres.url('payments'),
    AUTH_SERVICE_URL: `http://127.0.0.1:${authPort}`,
    TOKEN_CACHE_KEYS_FILE: persistentSecretFile(join(data, 'secrets/token-cache-keys')),
    WEBHOOK_SECRETS: `manual=${persistentSecret(join(data, 'secrets/webhook-manual'), randomWebhookSecret)}`,
    PROVIDERS_FILE: join(providers, 'providers.yaml'),
    CALLBACK_KEYS_FILE: persistentSecretFile(join(data, 'secrets/callback-keys')),
    WEBHOOK_ENCRYPTION_KEYS_DIR: sealKeysFolder(join(data, 'secrets/encryption')),
    WEBHOOK_ALLOW_HOSTS: 'localhost,127.0.0.1,[::1]',
  })
  return {
    authPort,
    paymentsPort,
    simulatorPort,
    postgresPort: postgres.port,
    redisUrl: redis?.url,
  }
}

/** Starts the simulator, and returns the folder of the accounts at it. */
async function runSimulator(): Promise<string> {
  const folder = join(data, 'providers')
  const simulator = `http://127.0.0.1:${simulatorPort}`
  // A host name, because MTN accepts no address in a callback URL.
  const payments = `http://localhost:${paymentsPort}`
  await runToEnd({
    name: 'simulator',
    script: 'sandbox/make',
    args: ['--folder', folder, '--simulator', simulator, '--payments', payments],
    env: {},
  })
  await runProcess('simulator', logTo(join(logs, 'simulator.log')), {
    MODE: 'sandbox',
    PORT: String(simulatorPort),
    ACCOUNTS_FILE: join(folder, 'accounts.json'),
    BOOK_FILE: join(data, 'simulator-book.jsonl'),
  })
  return folder
}

/** Migrates the database of a service, and starts the service. */
async function runService(
  name: ServiceName,
  env: Record<string, string | undefined>,
): Promise<void> {
  const write = logTo(join(logs, `${name}.log`))
  saveEnvironment(name, env)
  await runToEnd({ name, script: 'migrate', env, onLine: write })
  await runProcess(name, write, env)
}

async function runProcess(
  name: ProgramName,
  write: (line: string) => void,
  env: Record<string, string | undefined>,
): Promise<void> {
  let isReady = false
  const onLine = (line: string) => {
    write(line)
    // Warnings during startup are not shown, because a failed startup prints the service's whole output.
    const text = isReady ? forTerminal(line) : undefined
    if (text !== undefined) console.error(text)
  }
  const onUnexpectedExit = (code: number) => exitedUnexpectedly(name, code)
  const service = await startService({ name, env, onLine, onUnexpectedExit })
  isReady = true
  started.push({ name, stop: service.stop })
}

/** Writes the service's environment to a file that other commands load with `node --env-file`. */
function saveEnvironment(name: ServiceName, env: Record<string, string | undefined>) {
  const set = Object.entries(env).filter(([, value]) => value !== undefined)
  const text = set.map(([variable, value]) => `${variable}='${value}'\n`).join('')
  writeFileSync(join(data, `${name}.env`), text, { mode: 0o600 })
}

function exitedUnexpectedly(name: string, exitCode: number) {
  end(1, `${name} exited unexpectedly with code ${exitCode}; see its log in .data/logs`)
}

/** Only the first reason is reported, because later failures are its consequences. */
function end(exitCode: number, reason?: string) {
  if (isEnding) return
  isEnding = true
  if (reason !== undefined) console.error(reason)
  resolve(exitCode)
}

/** Stops payments first and PostgreSQL last, so that each program's dependencies outlive it. */
async function stopAll(): Promise<boolean> {
  let isClean = true
  for (const { name, stop } of started.toReversed()) {
    const code = (await stop()) ?? 0
    console.log(code === 0 ? `${name} stopped` : `${name} exited with code ${code}`)
    isClean &&= code === 0
  }
  return isClean
}

async function requireFreePort(port: number, name: string, variable: string): Promise<void> {
  if (await isPortFree(port)) return
  throw new Error(
    `Port ${port}, which ${name} listens on, is taken (by another \`make up\`?). ` +
      `Stop the process that uses it, or choose another port: ${variable}=${port + 10} make up`,
  )
}

function portFrom(variable: string, defaultPort: number): number {
  const port = Number(process.env[variable] || defaultPort)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  console.error(`${variable} must be a port number from 1 to 65535`)
  process.exit(1)
}
