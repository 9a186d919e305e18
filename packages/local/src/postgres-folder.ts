/** PostgreSQL's data folder: initialised once, and cleared of a stale lock file after a crash. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from './child.js'
import { chownTree, postgresUser, runAs } from './postgres-user.js'

export const SUPERUSER = 'malipo'

export interface Folder {
  initdb: string
  dataDir: string
  passwordFile: string
}

export async function prepareFolder(folder: Folder): Promise<void> {
  if (!existsSync(join(folder.dataDir, 'PG_VERSION'))) await initialise(folder)
  chownTree(postgresUser(), folder.dataDir)
  await removeStaleLock(folder.dataDir)
}

/** Runs initdb in a temporary folder, so that an interrupted run is never mistaken for a complete one. */
async function initialise({ initdb, dataDir, passwordFile }: Folder): Promise<void> {
  const unfinished = `${dataDir}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(dirname(dataDir), { recursive: true })
  mkdirSync(unfinished, { mode: 0o700 })
  chownTree(postgresUser(), unfinished)

  const output: string[] = []
  const child = startChild({
    command: [
      initdb,
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      // The same collation on every machine, regardless of its installed locales.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      '--no-sync',
    ],
    env: { PATH: process.env.PATH },
    runAs: runAs(postgresUser()),
    parentDeathSignal: 'SIGKILL',
    onLine: (line) => output.push(line),
  })
  const exitCode = await child.exited
  if (exitCode !== 0) throw new Error(`initdb exited with code ${exitCode}:\n${output.join('\n')}`)
  rmSync(dataDir, { recursive: true, force: true })
  renameSync(unfinished, dataDir)
}

const LOCK_WAIT_MS = 5000

/**
 * Removes the lock file that a killed PostgreSQL left. Another program may have its process id by now, and
 * PostgreSQL itself checks only whether a process with that id exists.
 */
async function removeStaleLock(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid')
  const until = Date.now() + LOCK_WAIT_MS
  while (existsSync(lock)) {
    const pid = Number.parseInt(readFileSync(lock, 'utf8'), 10)
    if (!isPostgres(pid)) return rmSync(lock, { force: true })
    // A server whose parent was just killed takes a moment to exit.
    if (Date.now() > until) {
      throw new Error(`${dataDir} is in use by another PostgreSQL (process ${pid})`)
    }
    await sleep(100)
  }
}

function isPostgres(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false
  // Without /proc, rely on PostgreSQL's own check.
  if (!existsSync('/proc/self/stat')) return true
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres'
  } catch {
    return false
  }
}
