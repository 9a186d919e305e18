import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKeyFile, type Key, KeySetError, parseKeys } from './key-set.js'

/** A key set on disk: one file for each key, in a folder that may be a mounted Secret. */

/** @throws KeySetError if the folder is unreadable or not a key set */
export function readKeyFolder(folder: string): Key[] {
  return parseKeys(new Map(names(folder).map((name) => [name, textOf(folder, name)])))
}

function names(folder: string): string[] {
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

/** The contents of the key files by name, in order. */
export async function keyTexts(folder: string): Promise<Map<string, string>> {
  const found = (await readdir(folder)).filter(isKeyFile).toSorted()
  const texts = found.map(async (name) => {
    return [name, await readFile(join(folder, name), 'utf8')] as const
  })
  return new Map(await Promise.all(texts))
}
