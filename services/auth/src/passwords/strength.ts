import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

let estimator: Promise<ZxcvbnFactory> | undefined

/** The response header with the strength of a new password, a hint for its owner. */
export async function strengthHeader(password: string, own: readonly string[]) {
  return { 'password-strength': String(await strengthOf(password, own)) }
}

/** From 0 (easy to guess) to 4. `own` are attributes of the owner, such as the email address. */
export async function strengthOf(password: string, own: readonly string[]): Promise<number> {
  estimator ??= load()
  // Longer passwords are cut: the time grows superlinearly, and 24 characters take at most 6 ms.
  return (await estimator).check(password.slice(0, 24), [...own]).score
}

async function load() {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({
    // Sorted by frequency. The rest of the list is left out: those passwords are rejected anyway.
    dictionary: { common: dictionary['passwords-common'].slice(0, 10_000) },
    graphs: adjacencyGraphs,
    l33tMaxSubstitutions: 4,
  })
}
