/**
 * Counts what a suite checked: a line for each, and at the end `N passed, N failed`. A check that fails
 * does not end the suite, so that one run tells all; `needed` is for what the rest can't do without.
 */

let passed = 0
let failed = 0

export class Needed extends Error {}

/** Runs one check; a word that it gives, such as a figure, is printed with it. */
export async function check(what: string, look: () => Promise<unknown>): Promise<boolean> {
  const since = Date.now()
  try {
    const word = await look()
    passed++
    const said = typeof word === 'string' ? `: ${word}` : ''
    console.log(`ok: ${what}${said} (${((Date.now() - since) / 1000).toFixed(1)} s)`)
    return true
  } catch (error) {
    failed++
    console.log(`FAILED: ${what}\n${indented(error)}`)
    return false
  }
}

/** A check without which the rest of its part makes no sense. */
export async function needed(what: string, look: () => Promise<unknown>): Promise<void> {
  if (!(await check(what, look))) throw new Needed(what)
}

/** Says how it went, and sets the process's exit code. */
export function finish(): void {
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

function indented(error: unknown): string {
  const lines: string[] = []
  let cause = error
  for (; cause instanceof Error; cause = cause.cause) lines.push(cause.message)
  if (cause !== undefined) lines.push(JSON.stringify(cause))
  return lines.join('\nbecause ').replace(/^/gm, '  ')
}
