/**
 * PostgreSQL refuses to run as root, so root starts it as the user `nobody`. It gets one capability: to
 * enter folders that only root may enter, since the clone may be in /root. No user is created, and no
 * folder's permissions change.
 */
import { chownSync, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface PostgresUser {
  uid: number
  gid: number
}

/** The user that PostgreSQL runs as when root starts it; undefined if this process is not root. */
export function postgresUser(): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (nobody === null)
    throw new Error('PostgreSQL refuses to run as root, and the user `nobody` does not exist')
  return { uid: Number(nobody[1]), gid: Number(nobody[2]) }
}

/** The arguments that make setpriv(1) start a program as this user. */
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
    // initdb and postgres find each other by access(2), which ignores capabilities without this securebit.
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
