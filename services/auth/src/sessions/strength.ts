import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** How hard a password would be to guess, as a hint for its owner; it decides nothing. */

/** The header by which it is told. */
export const STRENGTH_HEADER = 'password-strength'

/** The time that judging takes grows faster than the text; 24 characters take 6 ms at most. */
const LOOKED_AT = 24
const MOST_SUBSTITUTIONS = 4
const MOST_COMMON = 10_000

let judge: Promise<ZxcvbnFactory> | undefined

/**
 * From 0, guessed at once, to 4.
 *
 * @param own what is known of its owner, such as their email
 */
export async function strengthOf(password: string, own: readonly string[]): Promise<number> {
  judge ??= load()
  return (await judge).check(password.slice(0, LOOKED_AT), [...own]).score
}

async function load() {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({
    // Commoner first; as whole passwords the others are refused anyway.
    dictionary: { common: dictionary['passwords-common'].slice(0, MOST_COMMON) },
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: MOST_SUBSTITUTIONS,
  })
}
