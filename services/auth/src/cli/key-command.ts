import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readKeyFolder } from '../tokens/key-folder.js'
import { type KeyFile, KeySetError } from '../tokens/key-set.js'
import { expiredKeys, type Member, rotation, type RotationPolicy } from './rotation.js'

export const USAGE = `keys make|rotate|prune|list [--dir folder] [--signs-in seconds]

Manages the key set that signs access tokens: one file for each key, in --dir or JWT_KEYS_DIR.
make    creates a set with one key, which signs at once or after --signs-in
rotate  adds a key, which signs after --signs-in (300), when every replica must have it,
        and drops the keys that signed no token in the last JWT_EXPIRES_IN seconds
prune   drops those keys, and adds none
list    prints the state of each key`

/** A changed Secret reaches every pod within two minutes, and clients cache the public keys for two more. */
const DEFAULT_SIGNS_IN_SECONDS = 300

const VERBS = ['make', 'rotate', 'prune', 'list'] as const
type Verb = (typeof VERBS)[number]

export interface KeyCommand {
  verb: Verb
  folder: string
  signsInSeconds: number
}

/** @throws KeySetError for an invalid command */
export function parseKeyCommand(args: readonly string[], defaultFolder?: string): KeyCommand {
  const { values, positionals } = parse(args)
  const verb = VERBS.find((known) => known === positionals[0])
  const folder = values.dir ?? defaultFolder
  if (values.help || !verb || positionals.length > 1) throw new KeySetError(USAGE)
  if (!folder) throw new KeySetError('--dir must name the folder of the key set')
  const fallback = verb === 'make' ? 0 : DEFAULT_SIGNS_IN_SECONDS
  const signsInSeconds = Number(values['signs-in'] ?? fallback)
  if (!Number.isInteger(signsInSeconds) || signsInSeconds < 0) {
    throw new KeySetError('--signs-in must be a whole number of seconds')
  }
  return { verb, folder, signsInSeconds }
}

function parse(args: readonly string[]) {
  const string = { type: 'string' } as const
  const options = { dir: string, 'signs-in': string, help: { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch {
    throw new KeySetError(USAGE)
  }
}

/** Runs a command and returns a line for each change. @throws KeySetError */
export function runKeyCommand(
  { verb, folder, signsInSeconds }: KeyCommand,
  times: Omit<RotationPolicy, 'signsInSeconds'>,
): string[] {
  const policy = { ...times, signsInSeconds }
  if (verb === 'make') {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (isKeySet(folder)) throw new KeySetError(`${folder} already has keys: run rotate`)
    return [create(folder, policy.now + signsInSeconds, policy)]
  }
  const keys = readKeyFolder(folder).map(({ kid = '', signsFrom }) => ({ kid, signsFrom }))
  if (verb === 'list') return list(keys, policy)
  const { createFrom, drop } = rotation(keys, policy)
  const lines: string[] = []
  if (verb === 'rotate') {
    lines.push(
      createFrom === undefined
        ? 'no key created: the newest one does not sign yet'
        : create(folder, createFrom, policy),
    )
  }
  return [...lines, ...drop.map((kid) => remove(folder, kid))]
}

function isKeySet(folder: string): boolean {
  try {
    return readKeyFolder(folder).length > 0
  } catch (error) {
    if (error instanceof KeySetError && error.message.startsWith('has no key')) return false
    throw error
  }
}

/** Renames the complete file into place, so that readers of the folder never see a partial key. */
function create(folder: string, signsFrom: number, { now }: RotationPolicy): string {
  const day = new Date(now * 1000).toISOString().slice(0, 10)
  const kid = `${day}-${randomBytes(4).toString('hex')}`
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, d, x, y } = privateKey.export({ format: 'jwk' })
  const file = { kid, alg: 'ES256', use: 'sig', nbf: signsFrom, kty, crv, d, x, y } as KeyFile
  const path = join(folder, `${kid}.json`)
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(`${path}.new`, path)
  return `${kid} created: signs from ${timeOf(signsFrom)}`
}

function remove(folder: string, kid: string): string {
  rmSync(join(folder, `${kid}.json`))
  return `${kid} dropped`
}

function list(keys: readonly Member[], policy: RotationPolicy): string[] {
  const ordered = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const current = ordered.findLast(({ signsFrom }) => signsFrom <= policy.now) ?? ordered[0]
  const expired = expiredKeys(keys, policy)
  return ordered.map(({ kid, signsFrom }) => {
    if (kid === current?.kid) return `${kid} signs since ${timeOf(signsFrom)}`
    if (signsFrom > policy.now) return `${kid} verifies, signs from ${timeOf(signsFrom)}`
    return expired.includes(kid) ? `${kid} can be dropped` : `${kid} verifies`
  })
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
