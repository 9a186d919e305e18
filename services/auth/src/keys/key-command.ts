import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readKeyFolder } from '../tokens/key-folder.js'
import { type KeyFile, KeySetError } from '../tokens/key-set.js'
import { type Member, rotation, type Terms, useless } from './rotation.js'

export const USAGE = `keys make|rotate|prune|list [--dir folder] [--signs-in seconds]

The key set that signs tokens, a file a key, in the folder of --dir or of JWT_KEYS_DIR.
make    makes a set with a key that signs at once, or after --signs-in
rotate  adds a key that signs after --signs-in (300), by which time every replica must have it,
        and drops the keys that no token of the last JWT_EXPIRES_IN was signed with
prune   drops those keys, and adds none
list    says which key signs, and which is to be dropped`

/** Five minutes: a mounted Secret is everywhere within two, and public keys are cached for two. */
const SIGNS_IN_SECONDS = 300

const VERBS = ['make', 'rotate', 'prune', 'list'] as const
type Verb = (typeof VERBS)[number]

export interface KeyOrder {
  verb: Verb
  folder: string
  signsIn: number
}

/** @throws KeySetError when it is no order */
export function parseKeyOrder(args: readonly string[], defaultFolder?: string): KeyOrder {
  const { values, positionals } = parse(args)
  const verb = VERBS.find((known) => known === positionals[0])
  const folder = values.dir ?? defaultFolder
  if (values.help || !verb || positionals.length > 1) throw new KeySetError(USAGE)
  if (!folder) throw new KeySetError('--dir must name the folder of the key set')
  const usual = verb === 'make' ? 0 : SIGNS_IN_SECONDS
  const signsIn = Number(values['signs-in'] ?? usual)
  if (!Number.isInteger(signsIn) || signsIn < 0) {
    throw new KeySetError('--signs-in must be a whole number of seconds')
  }
  return { verb, folder, signsIn }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const options = { dir: text, 'signs-in': text, help: { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch {
    throw new KeySetError(USAGE)
  }
}

/** Carries out an order and says what came of it, a line a fact. @throws KeySetError */
export function runKeyOrder(order: KeyOrder, times: Omit<Terms, 'signsIn'>): string[] {
  const { verb, folder, signsIn } = order
  const terms = { ...times, signsIn }
  if (verb === 'make') {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (isKeySet(folder)) throw new KeySetError(`${folder} has keys already: rotate them`)
    return [make(folder, terms.now + signsIn, terms)]
  }
  const keys = membersOf(folder)
  if (verb === 'list') return list(keys, terms)
  const change = rotation(keys, terms)
  const lines: string[] = []
  if (verb === 'rotate') {
    lines.push(
      change.make === undefined
        ? 'none made: the last one that was does not sign yet'
        : make(folder, change.make, terms),
    )
  }
  return [...lines, ...change.drop.map((kid) => drop(folder, kid))]
}

function isKeySet(folder: string): boolean {
  try {
    return readKeyFolder(folder).length > 0
  } catch (error) {
    if (error instanceof KeySetError && error.message.startsWith('has no key')) return false
    throw error
  }
}

function membersOf(folder: string): Member[] {
  return readKeyFolder(folder).map(({ kid = '', signsFrom }) => ({ kid, signsFrom }))
}

/** A file that is there is whole: who reads the folder meanwhile sees it, or does not. */
function make(folder: string, signsFrom: number, { now }: Terms): string {
  const day = new Date(now * 1000).toISOString().slice(0, 10)
  const kid = `${day}-${randomBytes(4).toString('hex')}`
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, d, x, y } = privateKey.export({ format: 'jwk' })
  const file = { kid, alg: 'ES256', use: 'sig', nbf: signsFrom, kty, crv, d, x, y } as KeyFile
  const path = join(folder, `${kid}.json`)
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(`${path}.new`, path)
  return `${kid} made: it signs from ${timeOf(signsFrom)} on`
}

function drop(folder: string, kid: string): string {
  rmSync(join(folder, `${kid}.json`))
  return `${kid} dropped`
}

function list(keys: readonly Member[], terms: Terms): string[] {
  const inOrder = keys.toSorted((a, b) => a.signsFrom - b.signsFrom)
  const signing = inOrder.findLast(({ signsFrom }) => signsFrom <= terms.now) ?? inOrder[0]
  const droppable = useless(keys, terms)
  return inOrder.map(({ kid, signsFrom }) => {
    if (kid === signing?.kid) return `${kid} signs, since ${timeOf(signsFrom)}`
    if (signsFrom > terms.now) return `${kid} verifies, and signs from ${timeOf(signsFrom)} on`
    return droppable.includes(kid) ? `${kid} can be dropped` : `${kid} verifies`
  })
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
