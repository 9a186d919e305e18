/**
 * PostgreSQL refuses to run as root. Started by root, it runs as the user `nobody` with one capability: to
 * enter folders that only root may enter, since the clone may be in /root. No user is created, and no
 * folder's permissions change.
 */
import { chownSync, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface PostgresUser {
  uid: number
  gid: number
}

/** The user that PostgreSQL runs as if this process is root; otherwise undefined. */
export function postgresUser(): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (nobody === null)
    throw new Error('PostgreSQL refuses to run as root, and the user `nobody` does not exist')
  return { uid: Number(nobody[1]), gid: Number(nobody[2]) }
}

/** The arguments of setpriv(1) for this user. */
export function runAs(user: PostgresUser | undefined): string[] {
  if (user === undefined) return []
  const capabilities = '-all,+dac_override'
  return [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    `--bounding-set=${capabilities}`,
    `--inh-caps=${capabilities}`,
    `--ambient-caps=${capabilities}`,
    // Without this securebit, access(2) ignores capabilities; initdb and postgres use it to find each other.
    '--securebits=+no_setuid_fixup',
    '--no-new-privs',
  ]
}

/** Changes the owner of a folder and its contents, unless the user already owns the folder. */
export function chownTree(user: PostgresUser | undefined, path: string) {
  if (user === undefined) return
  const stat = lstatSync(path)
  if (stat.uid === user.uid) return
  if (stat.isDirectory()) for (const name of readdirSync(path)) chownTree(user, join(path, name))
  chownSync(path, user.uid, user.gid)
}
