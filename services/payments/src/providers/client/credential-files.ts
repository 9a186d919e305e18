import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ProviderAccount } from '../accounts.js'
import type { Credentials } from '../adapter.js'

/** Where the credentials of an account are. */
type CredentialAccount = Pick<ProviderAccount, 'name' | 'credentialFiles'>

const FORM = 'must name a readable file that is not empty'

/** The credentials in the files of an account: one set, or two during a rotation, the newest first. */
export class CredentialFiles {
  private loaded: readonly Credentials[]

  /** @param onFault called with each field whose file can't be used, and what would be right */
  constructor(
    private readonly account: CredentialAccount,
    onFault: (field: string, message: string) => void,
  ) {
    this.loaded = account.credentialFiles.map((files, index) =>
      mapped(files, (path, name) => {
        const value = valueOf(() => readFileSync(path, 'utf8'))
        if (value === '') onFault(this.fieldOf(index, name), FORM)
        return value
      }),
    )
  }

  get sets(): readonly Credentials[] {
    return this.loaded
  }

  /**
   * Reads the files again: events of files in mounted Secrets are unreliable.
   *
   * @returns whether the credentials have changed
   * @throws Error if a file can't be used; the previous credentials stay in use
   */
  async reload(): Promise<boolean> {
    const { name, credentialFiles } = this.account
    const sets = await Promise.all(
      credentialFiles.map(async (files, index) => {
        const entries = Object.entries(files).map(async ([field, path]) => {
          const text = await readFile(path, 'utf8').catch(() => '')
          const value = text.trim()
          if (value !== '') return [field, value] as const
          const unusable = `account ${name}: ${this.fieldOf(index, field)} ${FORM}`
          throw new Error(`${unusable}: the previous credentials stay in use`)
        })
        return Object.fromEntries(await Promise.all(entries))
      }),
    )
    if (isDeepStrictEqual(sets, this.loaded)) return false
    this.loaded = sets
    return true
  }

  private fieldOf(index: number, name: string): string {
    const isRotation = this.account.credentialFiles.length > 1
    return `credentials${isRotation ? `[${index}]` : ''}.${name}File`
  }
}

function valueOf(read: () => string): string {
  try {
    return read().trim()
  } catch {
    return ''
  }
}

function mapped(
  files: Readonly<Record<string, string>>,
  read: (path: string, name: string) => string,
): Credentials {
  return Object.fromEntries(Object.entries(files).map(([name, path]) => [name, read(path, name)]))
}
