import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startChild } from '@malipo/local/child'
import { findProgram } from '@malipo/local/find-program'
import { freePort } from '@malipo/local/free-port'
import { chownTree, postgresUser, runAs } from '@malipo/local/postgres-user'
import { query } from './database.js'

/** The configuration that Debian's package installs. */
const STOCK_CONFIGURATION = '/etc/pgbouncer/pgbouncer.ini'

/** Undefined if the machine has no PgBouncer: tests are skipped. */
export const pgBouncer = findProgram('pgbouncer')

export interface PgBouncer {
  /** The URL of a database of the server. */
  url(database: string): string
  stop(): Promise<void>
}

/** The version, such as 1.18. */
export async function pgBouncerVersion(): Promise<number> {
  const { stdout } = await promisify(execFile)(pgBouncer ?? '', ['--version'])
  return Number(/PgBouncer (\d+\.\d+)/.exec(stdout)?.[1])
}

/**
 * Starts PgBouncer in front of a server, with its stock configuration except for the addresses, the users and
 * the given settings.
 *
 * @param serverUrl with the credentials of a user
 */
export async function startPgBouncer(
  serverUrl: string,
  settings: Readonly<Record<string, string>>,
): Promise<PgBouncer> {
  const server = new URL(serverUrl)
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'malipo-pgbouncer-'))]
  const [users, file] = [join(folder, 'userlist.txt'), join(folder, 'pgbouncer.ini')]
  const own = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_file: users,
    logfile: '',
    pidfile: '',
    ...settings,
  }
  await writeFile(users, `"${server.username}" "${server.password}"\n`)
  const lines = [
    existsSync(STOCK_CONFIGURATION) ? `%include ${STOCK_CONFIGURATION}` : '',
    '[databases]',
    `* = host=${server.hostname} port=${server.port}`,
    '[pgbouncer]',
    ...Object.entries(own).map(([name, value]) => `${name} = ${value}`),
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  // PgBouncer refuses to run as root, as PostgreSQL does.
  chownTree(postgresUser(), folder)
  const output: string[] = []
  const child = startChild({
    command: [pgBouncer ?? 'pgbouncer', file],
    env: { PATH: process.env.PATH },
    runAs: runAs(postgresUser()),
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => void output.push(line),
  })
  const url = (database: string) => {
    const address = new URL(serverUrl)
    address.host = `127.0.0.1:${port}`
    address.pathname = `/${database}`
    return address.href
  }
  while (!(await answers(url('postgres')))) {
    if (!child.running) throw new Error(`PgBouncer did not start:\n${output.join('\n')}`)
    await sleep(50)
  }
  return {
    url,
    async stop() {
      await child.end('SIGINT', 5_000)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function answers(url: string): Promise<boolean> {
  return query(url, 'SELECT 1').then(
    () => true,
    () => false,
  )
}
