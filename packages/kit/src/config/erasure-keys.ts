import { type Check, ConfigurationError, readableFile } from './env.js'
import { checkKeyFile, readKeyFile } from './key-file.js'

/** The keys of pseudonyms: the commands that erase personal data read them, and no service does. */

export const erasureVariables = {
  ERASURE_KEYS_FILE: readableFile({
    desc: 'File with the keys of pseudonyms, one per line of at least 32 bytes; the first makes them, and all recognise them',
  }),
}

interface ErasureEnv {
  readonly ERASURE_KEYS_FILE: string
}

/** Required in every mode: a random key would give a person other pseudonyms in each run. */
export const checkErasureKeys: Check<ErasureEnv> = (env) =>
  checkKeyFile('ERASURE_KEYS_FILE')({ ...env, MODE: 'live' })

/** @throws ConfigurationError if the file has lost its keys since it was checked */
export function erasureKeysOf(env: ErasureEnv): readonly [Buffer, ...Buffer[]] {
  const [first, ...others] = readKeyFile(env.ERASURE_KEYS_FILE)
  if (!first) throw new ConfigurationError(['ERASURE_KEYS_FILE has no key'])
  return [first, ...others]
}
