import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseOptions, runCommand, UsageError } from '@malipo/kit/command'
import { accountsFile, credentialFiles, providersFile } from './accounts.js'

const USAGE = `make --folder folder --simulator URL --payments URL

Writes the accounts of a sandbox into a folder: providers.yaml for payments, accounts.json for the simulator, and the
credentials of both, which are random and are created once. The URLs are those by which the services call each other.
--payments must have a host name, because MTN accepts no address in a callback URL.`

function parseCommand(args: string[]) {
  const string = { type: 'string' } as const
  const options = { folder: string, simulator: string, payments: string }
  const { folder, ...given } = parseOptions(USAGE, { args, options }).values
  const simulator = httpUrl(given.simulator)
  const payments = httpUrl(given.payments)
  const isAddress = isIP(payments?.hostname.replace(/^\[|\]$/g, '') ?? '') > 0
  if (!folder || !simulator || !payments || isAddress) throw new UsageError(USAGE)
  const urls = { simulator: simulator.origin, payments: payments.origin }
  return { folder: resolve(folder), urls }
}

function httpUrl(text = ''): URL | null {
  return /^https?:\/\//.test(text) ? URL.parse(text) : null
}

/** A credential that exists is retained: a payment may be open that needs it. */
function createOnce(path: string): void {
  try {
    writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Replaced as a whole, because a running service may read it. JSON is also YAML. */
function replace(path: string, content: object): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

await runCommand('make', () => {
  const { folder, urls } = parseCommand(process.argv.slice(2))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of credentialFiles()) createOnce(join(folder, name))
  replace(join(folder, 'accounts.json'), accountsFile(urls))
  replace(join(folder, 'providers.yaml'), providersFile(urls, `${folder}/`))
  return []
})
