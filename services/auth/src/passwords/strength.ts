import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** The response header with the estimated strength of a new password, a hint for its owner. */
export const STRENGTH_HEADER = 'password-strength'

/** The estimate takes superlinear time; 24 characters take at most 6 ms. */
const MAX_LENGTH = 24
const MAX_SUBSTITUTIONS = 4
const MAX_COMMON = 10_000

let estimator: Promise<ZxcvbnFactory> | undefined

/**
 * From 0 (guessed at once) to 4.
 *
 * @param own attributes of its owner, such as the email
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
    // Most common first; the rest are rejected as passwords anyway.
    dictionary: { common: dictionary['passwords-common'].slice(0, MAX_COMMON) },
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: MAX_SUBSTITUTIONS,
  })
}
