import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** The response header with the estimated strength of a new password, a hint for its owner. */
export const STRENGTH_HEADER = 'password-strength'

/**
 * Only this many characters are estimated: the time grows superlinearly, and 24 characters take at most 6 ms.
 */
const MAX_LENGTH = 24
const MAX_SUBSTITUTIONS = 4
const MAX_COMMON = 10_000

let estimator: Promise<ZxcvbnFactory> | undefined

/**
 * The estimated strength, from 0 (easy to guess) to 4.
 *
 * @param own attributes of the password's owner, such as the email address
 */
export async function strengthOf(password: string, own: readonly string[]): Promise<number> {
  estimator ??= load()
  return (await estimator).check(password.slice(0, MAX_LENGTH), [...own]).score
}

async function load() {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({
    // Sorted by frequency. The rest of the list is left out: those passwords are rejected anyway.
    dictionary: { common: dictionary['passwords-common'].slice(0, MAX_COMMON) },
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: MAX_SUBSTITUTIONS,
  })
}
