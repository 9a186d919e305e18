import { execFile } from 'node:child_process'
import { createPrivateKey, type JsonWebKey } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'

const SCRIPT = join(import.meta.dirname, '../dist/cli/keys.js')

/** Runs the built `keys` command on a folder, like an operator. */
export function keys(folder: string, args: string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const all = [SCRIPT, ...args, '--dir', folder]
    execFile(process.execPath, all, { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

export const newFolder = () => mkdtempSync(join(tmpdir(), 'malipo-keys-'))

/** Creates a folder with a new key set. */
export async function newKeySet(...args: string[]): Promise<string> {
  const folder = newFolder()
  expect(await keys(folder, ['make', ...args])).toMatchObject({ code: 0, err: '' })
  return folder
}

/** Reads the private keys of a folder. */
export function privateKeys(folder: string) {
  return readdirSync(folder).map((name) => {
    const jwk = JSON.parse(readFileSync(join(folder, name), 'utf8')) as JsonWebKey & { kid: string }
    return { kid: jwk.kid, key: createPrivateKey({ key: jwk, format: 'jwk' }) }
  })
}

export function headerOf(token: string) {
  const [head = ''] = token.split('.')
  return JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string; kid?: string }
}
