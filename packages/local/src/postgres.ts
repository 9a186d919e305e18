/** Runs PostgreSQL 18 from npm for `make up`, the tests and the bench. */
import { resolve } from 'node:path'
import pg from 'pg'
import { type Child, startChild } from './child.js'
import { freePort } from './free-port.js'
import { findPostgresBinaries } from './postgres-binaries.js'
import { prepareFolder, SUPERUSER } from './postgres-folder.js'
import { postgresUser, runAs } from './postgres-user.js'
import { persistentSecret } from './secret.js'

export interface PostgresOptions {
  /** The data folder, created if missing; the password is in `<dataDir>.password` next to it. */
  dataDir: string
  /** Default: a free port. */
  port?: number
  /** The address to listen on; default 127.0.0.1. */
  host?: string
  /** The databases to create if missing. */
  databases: readonly string[]
  /** Additional arguments for `postgres`, such as `['-c', 'fsync=off']`. */
  flags?: readonly string[]
  onLine?: (line: string) => void
  onUnexpectedExit?: (exitCode: number) => void
}

export interface Postgres {
  readonly port: number
  /** The connection string of a database, with a superuser's credentials. */
  readonly url: (database: string) => string
  /** Fast shutdown: ends sessions and writes a checkpoint. */
  readonly stop: () => Promise<void>
  /** Stops the server if it is running, and starts it on the same port. */
  readonly restart: () => Promise<void>
  /** Immediate shutdown, like a crash: the next start runs recovery. */
  readonly kill: () => Promise<void>
}

const STOP_LIMIT_MS = 30_000

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const dataDir = resolve(options.dataDir)
  const passwordFile = `${dataDir}.password`
  const password = persistentSecret(passwordFile)
  const { initdb, postgres } = await findPostgresBinaries()
  const port = options.port ?? (await freePort())
  const { host = '127.0.0.1' } = options
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const url = (database: string) => `postgres://${SUPERUSER}:${password}@${authority}/${database}`

  const command = [
    postgres,
    '-D',
    dataDir,
    `--port=${port}`,
    `--listen_addresses=${host}`,
    '--unix_socket_directories=',
    ...(options.flags ?? []),
  ]
  const start = async () => {
    await prepareFolder({ initdb, dataDir, passwordFile })
    return await startServer(command, options)
  }

  let server = await start()
  const stop = async () => void (await server.end('SIGINT', STOP_LIMIT_MS))
  const kill = async () => void (await server.end('SIGQUIT', STOP_LIMIT_MS))
  const restart = async () => {
    if (server.running) await stop()
    server = await start()
  }
  try {
    await createDatabases(url('postgres'), options.databases)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, url, stop, restart, kill }
}

/** Starts the server; resolves when it accepts connections. */
async function startServer(
  command: readonly string[],
  { onLine, onUnexpectedExit }: PostgresOptions,
): Promise<Child> {
  const output: string[] = []
  let ready = () => {}
  let isReady = false
  const accepting = new Promise<void>((resolve) => (ready = resolve))
  const child = startChild({
    command,
    env: { PATH: process.env.PATH },
    runAs: runAs(postgresUser()),
    parentDeathSignal: 'SIGQUIT',
    onLine: (line) => {
      onLine?.(line)
      if (isReady) return
      output.push(line)
      if (line.includes('ready to accept connections')) ready()
    },
    onUnexpectedExit: (exitCode) => isReady && onUnexpectedExit?.(exitCode),
  })
  const exitCode = await Promise.race([accepting, child.exited])
  isReady = true
  if (exitCode === undefined) return child
  throw new Error(`PostgreSQL exited with code ${exitCode} during startup:\n${output.join('\n')}`)
}

async function createDatabases(url: string, names: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    for (const name of names) {
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
      if (found.rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`)
    }
  } finally {
    await client.end()
  }
}
