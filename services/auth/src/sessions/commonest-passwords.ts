import { PASSWORD } from './password.js'

let commonest: Promise<ReadonlySet<string>> | undefined

/**
 * The passwords that leaked lists hold most often, in lower case and only those long enough to get this
 * far: 18,000 of 49,000. They are unpacked at first use (25 ms) and take 4 MB from then on.
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
