/** PostgreSQL's data folder: made once, and cleared of what a crash left in it. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from './child.js'
import { giveTo, postgresUser, runAs } from './postgres-user.js'

export const SUPERUSER = 'malipo'

export interface Folder {
  initdb: string
  dataDir: string
  passwordFile: string
}

export async function prepareFolder(folder: Folder): Promise<void> {
  if (!existsSync(join(folder.dataDir, 'PG_VERSION'))) await initialise(folder)
  giveTo(postgresUser(), folder.dataDir)
  await clearLock(folder.dataDir)
}

/** Works in a folder beside it, so that one which was interrupted is never taken for a whole one. */
async function initialise({ initdb, dataDir, passwordFile }: Folder): Promise<void> {
  const unfinished = `${dataDir}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(dirname(dataDir), { recursive: true })
  mkdirSync(unfinished, { mode: 0o700 })
  giveTo(postgresUser(), unfinished)

  const output: string[] = []
  const child = startChild({
    command: [
      initdb,
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      // The same on every machine, whatever locales it has.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      '--no-sync',
    ],
    env: { PATH: process.env.PATH },
    runAs: runAs(postgresUser()),
    lastSignal: 'SIGKILL',
    onLine: (line) => output.push(line),
  })
  const exitCode = await child.exited
  if (exitCode !== 0) throw new Error(`initdb ended with ${exitCode}:\n${output.join('\n')}`)
  rmSync(dataDir, { recursive: true, force: true })
  renameSync(unfinished, dataDir)
}

const LOCK_WAIT_MS = 5000

/**
 * The lock file of a PostgreSQL that was killed names a process that is gone, or by now is another
 * program; PostgreSQL itself only asks whether a process of that number is there.
 */
async function clearLock(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid')
  const until = Date.now() + LOCK_WAIT_MS
  while (existsSync(lock)) {
    const pid = Number.parseInt(readFileSync(lock, 'utf8'), 10)
    if (!isPostgres(pid)) return rmSync(lock, { force: true })
    // One whose parent has just been killed needs a moment to end.
    if (Date.now() > until) {
      throw new Error(`${dataDir} is in use by another PostgreSQL (process ${pid})`)
    }
    await sleep(100)
  }
}

function isPostgres(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false
  // Where there is no /proc, PostgreSQL's own check has to do.
  if (!existsSync('/proc/self/stat')) return true
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres'
  } catch {
    return false
  }
}
