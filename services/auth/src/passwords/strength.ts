import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

let estimator: Promise<ZxcvbnFactory> | undefined

/** The response header that shows the strength of a new password, as a hint for its owner. */
export async function strengthHeader(password: string, own: readonly string[]) {
  return { 'password-strength': String(await strengthOf(password, own)) }
}

/** The strength from 0 (easy to guess) to 4. `own` has attributes of the owner, such as the email address. */
export async function strengthOf(password: string, own: readonly string[]): Promise<number> {
  estimator ??= load()
  // Only 24 characters are checked: the time grows superlinearly, and 24 characters take at most 6 ms.
  return (await estimator).check(password.slice(0, 24), [...own]).score
}

async function load() {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({
    // The 10,000 most common passwords suffice: `IsPassword` rejects a new password from the longer list.
    dictionary: { common: dictionary['passwords-common'].slice(0, 10_000) },
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: 4,
  })
}
