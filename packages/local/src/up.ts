/**
 * `make up`: PostgreSQL, Redis where there is one, auth and payments, on this machine, until Ctrl-C.
 * Whatever it started it also stops, in reverse order; what it keeps lies under .data/.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isPortFree } from './free-port.js'
import { forTerminal, logTo } from './log-file.js'
import { startPostgres } from './postgres.js'
import { runToEnd, type ServiceName, startService } from './process.js'
import { startRedis } from './redis.js'
import { keptSecret, randomWebhookSecret } from './secret.js'
import { AUTH_PORT, PAYMENTS_PORT, type Running, welcome } from './welcome.js'

const data = join(import.meta.dirname, '../../../.data')
const logs = join(data, 'logs')
const authPort = portFrom('AUTH_PORT', AUTH_PORT)
const paymentsPort = portFrom('PAYMENTS_PORT', PAYMENTS_PORT)

/** In the order of their start; `stop` tells the exit code of a service. */
const started: { name: string; stop: () => Promise<number | void> }[] = []

const { promise: ending, resolve } = Promise.withResolvers<number>()
let over = false
// Ctrl-C may come twice, from the terminal and from npm, which passes it on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(0))
// A terminal that was closed takes no more lines; stopping goes on without them.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

start().then(
  (running) => over || console.log(welcome(running)),
  (error: unknown) => end(1, error instanceof Error ? error.message : String(error)),
)
const exitCode = await ending
const clean = await stopAll()
// Leaving also ends what a start that was interrupted still holds.
process.exit(clean ? exitCode : 1)

async function start(): Promise<Running> {
  await insistOn(authPort, 'auth', 'AUTH_PORT')
  await insistOn(paymentsPort, 'payments', 'PAYMENTS_PORT')

  const postgres = await startPostgres({
    dataDir: join(data, 'postgres'),
    databases: ['auth', 'payments'],
    onLine: logTo(join(logs, 'postgres.log')),
    onUnexpectedExit: (code) => died('PostgreSQL', code),
  })
  started.push({ name: 'PostgreSQL', stop: postgres.stop })
  const redis = await startRedis({
    onLine: logTo(join(logs, 'redis.log')),
    onUnexpectedExit: (code) => died('Redis', code),
  })
  if (redis) started.push({ name: 'Redis', stop: redis.stop })

  const common = { MODE: 'sandbox', REDIS_URL: redis?.url }
  await run('auth', {
    ...common,
    PORT: String(authPort),
    DATABASE_URL: postgres.url('auth'),
    JWT_SECRET: keptSecret(join(data, 'secrets/jwt')),
  })
  await run('payments', {
    ...common,
    PORT: String(paymentsPort),
    DATABASE_URL: postgres.url('payments'),
    AUTH_SERVICE_URL: `http://127.0.0.1:${authPort}`,
    WEBHOOK_SECRETS: `mtn=${keptSecret(join(data, 'secrets/webhook-mtn'), randomWebhookSecret)}`,
  })
  return { authPort, paymentsPort, postgresPort: postgres.port, redisUrl: redis?.url }
}

async function run(name: ServiceName, env: Record<string, string | undefined>): Promise<void> {
  const write = logTo(join(logs, `${name}.log`))
  let ready = false
  const onLine = (line: string) => {
    write(line)
    // Until it is ready it may warn of what it waits for; should it fail, all of it is shown.
    const text = ready ? forTerminal(line) : undefined
    if (text !== undefined) console.error(text)
  }
  keepEnvironment(name, env)
  await runToEnd({ name, script: 'migrate', env, onLine: write })
  const onUnexpectedExit = (code: number) => died(name, code)
  const service = await startService({ name, env, onLine, onUnexpectedExit })
  ready = true
  started.push({ name, stop: service.stop })
}

/** For commands that run beside the service, such as the operator's: `node --env-file`. */
function keepEnvironment(name: ServiceName, env: Record<string, string | undefined>) {
  const set = Object.entries(env).filter(([, value]) => value !== undefined)
  const text = set.map(([variable, value]) => `${variable}='${value}'\n`).join('')
  writeFileSync(join(data, `${name}.env`), text, { mode: 0o600 })
}

function died(name: string, exitCode: number) {
  end(1, `${name} ended by itself with exit code ${exitCode}; its log is in .data/logs`)
}

/** The first reason to end counts; what fails after it fails because of it. */
function end(exitCode: number, reason?: string) {
  if (over) return
  over = true
  if (reason !== undefined) console.error(reason)
  resolve(exitCode)
}

/** Payments first and PostgreSQL last, so that none loses what it needs while it ends. */
async function stopAll(): Promise<boolean> {
  let clean = true
  for (const { name, stop } of started.toReversed()) {
    const code = (await stop()) ?? 0
    console.log(code === 0 ? `${name} stopped` : `${name} ended with exit code ${code}`)
    clean &&= code === 0
  }
  return clean
}

async function insistOn(port: number, name: string, variable: string): Promise<void> {
  if (await isPortFree(port)) return
  throw new Error(
    `Port ${port}, where ${name} listens, is taken (by another \`make up\`?). ` +
      `Stop what holds it, or choose another: ${variable}=${port + 10} make up`,
  )
}

function portFrom(variable: string, usual: number): number {
  const port = Number(process.env[variable] || usual)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  console.error(`${variable} must be a port, a whole number from 1 to 65535`)
  process.exit(1)
}
