import { PASSWORD } from './password.js'

let commonest: Promise<ReadonlySet<string>> | undefined

/**
 * The most common leaked passwords in lower case: 18,000 of a list of 49,000, without those that are too short anyway.
 * They are unpacked on first use, in 25 ms, and take 4 MB of memory.
 */
export function commonestPasswords(): Promise<ReadonlySet<string>> {
  commonest ??= load()
  return commonest
}

async function load() {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const all: readonly string[] = dictionary['passwords-common']
  return new Set(all.filter((password) => password.length >= PASSWORD.minCharacters))
}
