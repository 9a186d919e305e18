import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseOptions, runCommand, UsageError } from '@malipo/kit/command'
import { keyFileNames, newestKey } from '@malipo/kit/config/key-folder'
import { readKeysEnv } from '../env.js'
import { readKeyFolder } from '../tokens/key-set.js'
import { expiredKeys, type Member, rotation, type RotationPolicy } from './rotation.js'

const USAGE = `keys make|rotate|prune|list [--dir folder] [--signs-in seconds]

Manages the key set that signs access tokens: one file for each key, in --dir or JWT_KEYS_DIR.
make    creates a set with one key, which signs at once or after --signs-in
rotate  adds a key, which signs after --signs-in (300), when every replica must have it,
        and drops the keys that signed no token in the last JWT_EXPIRES_IN seconds
prune   drops those keys, and adds none
list    prints the state of each key`

/** A changed Secret reaches every pod within two minutes, and clients cache public keys for two more. */
const DEFAULT_SIGNS_IN_SECONDS = 300

type Verb = (folder: string, policy: RotationPolicy) => string[]
const VERBS = new Map<string | undefined, Verb>(Object.entries({ make, rotate, prune, list }))

function parseCommand(args: string[], defaultFolder: string | undefined) {
  const string = { type: 'string' } as const
  const { values, positionals } = parseOptions(USAGE, {
    args,
    allowPositionals: true,
    options: { dir: string, 'signs-in': string, help: { type: 'boolean' } },
  })
  const verb = VERBS.get(positionals[0])
  const folder = values.dir ?? defaultFolder
  if (values.help || !verb || positionals.length > 1) throw new UsageError(USAGE)
  if (!folder) throw new UsageError('--dir must name the folder of the key set')
  const fallback = verb === make ? 0 : DEFAULT_SIGNS_IN_SECONDS
  const signsInSeconds = Number(values['signs-in'] ?? fallback)
  if (!Number.isInteger(signsInSeconds) || signsInSeconds < 0) {
    throw new UsageError('--signs-in must be a whole number of seconds')
  }
  return { verb, folder, signsInSeconds }
}

function make(folder: string, policy: RotationPolicy): string[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (keyFileNames(folder).length > 0)
    throw new UsageError(`${folder} already has keys: run rotate`)
  return [create(folder, policy.now + policy.signsInSeconds, policy)]
}

function rotate(folder: string, policy: RotationPolicy): string[] {
  const { createFrom, drop } = rotation(membersOf(folder), policy)
  const created =
    createFrom === undefined
      ? 'no key created: the newest one does not sign yet'
      : create(folder, createFrom, policy)
  return [created, ...drop.map((kid) => remove(folder, kid))]
}

function prune(folder: string, policy: RotationPolicy): string[] {
  return expiredKeys(membersOf(folder), policy).map((kid) => remove(folder, kid))
}

function list(folder: string, policy: RotationPolicy): string[] {
  const ordered = membersOf(folder).toSorted((a, b) => a.signsFrom - b.signsFrom)
  const current = newestKey(ordered, ({ signsFrom }) => signsFrom, policy.now)
  const expired = expiredKeys(ordered, policy)
  return ordered.map(({ kid, signsFrom }) => {
    if (kid === current.kid) return `${kid} signs since ${timeOf(signsFrom)}`
    if (signsFrom > policy.now) return `${kid} verifies, signs from ${timeOf(signsFrom)}`
    return expired.includes(kid) ? `${kid} can be dropped` : `${kid} verifies`
  })
}

function membersOf(folder: string): Member[] {
  return readKeyFolder(folder).map(({ kid = '', signsFrom }) => ({ kid, signsFrom }))
}

/** Writes the key to a temporary file and renames it, so that readers never see a partial key. */
function create(folder: string, signsFrom: number, { now }: RotationPolicy): string {
  const day = timeOf(now).slice(0, 10)
  const kid = `${day}-${randomBytes(4).toString('hex')}`
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, d, x, y } = privateKey.export({ format: 'jwk' })
  const file = { kid, alg: 'ES256', use: 'sig', nbf: signsFrom, kty, crv, d, x, y }
  const path = join(folder, `${kid}.json`)
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(`${path}.new`, path)
  return `${kid} created: signs from ${timeOf(signsFrom)}`
}

function remove(folder: string, kid: string): string {
  rmSync(join(folder, `${kid}.json`))
  return `${kid} dropped`
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

await runCommand('keys', () => {
  const env = readKeysEnv()
  const { verb, folder, signsInSeconds } = parseCommand(process.argv.slice(2), env.JWT_KEYS_DIR)
  const now = Math.floor(Date.now() / 1000)
  return verb(folder, { now, tokenLifetimeSeconds: env.JWT_EXPIRES_IN, signsInSeconds })
})
