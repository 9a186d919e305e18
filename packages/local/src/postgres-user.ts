/**
 * PostgreSQL refuses to run as root. Started by root, it runs as `nobody` and keeps one capability
 * of root: to pass folders that only root may enter, since the clone may lie in one (/root). No user
 * is created and no folder of anybody is opened for it.
 */
import { chownSync, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface PostgresUser {
  uid: number
  gid: number
}

/** Whom PostgreSQL runs as when this process can't run it as itself. */
export function postgresUser(): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (nobody === null) throw new Error('PostgreSQL does not run as root, and there is no `nobody`')
  return { uid: Number(nobody[1]), gid: Number(nobody[2]) }
}

/** The arguments of setpriv(1) for this user. */
export function runAs(user: PostgresUser | undefined): string[] {
  if (user === undefined) return []
  const onlyPassing = '-all,+dac_override'
  return [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    `--bounding-set=${onlyPassing}`,
    `--inh-caps=${onlyPassing}`,
    `--ambient-caps=${onlyPassing}`,
    // Without it access(2), by which initdb and postgres look for each other, forgets capabilities.
    '--securebits=+no_setuid_fixup',
    '--no-new-privs',
  ]
}

/** Gives the folder and all in it to the user, unless it is theirs already. */
export function giveTo(user: PostgresUser | undefined, path: string) {
  if (user === undefined) return
  const stat = lstatSync(path)
  if (stat.uid === user.uid) return
  if (stat.isDirectory()) for (const name of readdirSync(path)) giveTo(user, join(path, name))
  chownSync(path, user.uid, user.gid)
}
