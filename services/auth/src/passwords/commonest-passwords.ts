import { PASSWORD } from './password.js'

let commonest: Promise<ReadonlySet<string>> | undefined

/**
 * The most common leaked passwords, in lower case, without those below the minimum length: 18,000 of 49,000.
 * The first use unpacks them (25 ms); they take 4 MB.
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
