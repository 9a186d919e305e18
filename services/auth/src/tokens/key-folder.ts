import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKeyFile, type Key, KeySetError, parseKeys } from './key-set.js'

/** Reads the key set of a folder, which may be a mounted Secret. @throws KeySetError if it is invalid */
export function readKeyFolder(folder: string): Key[] {
  return parseKeys(new Map(keyFiles(folder).map((name) => [name, textOf(folder, name)])))
}

export function keyFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isKeyFile)
  } catch {
    throw new KeySetError('must name a readable folder')
  }
}

function textOf(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    throw new KeySetError(`has an unreadable ${name}`)
  }
}

/** The contents of the key files by file name, sorted by file name. */
export async function keyTexts(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter(isKeyFile).toSorted()
  const texts = new Map<string, string>()
  for (const name of names) texts.set(name, await readFile(join(folder, name), 'utf8'))
  return texts
}
