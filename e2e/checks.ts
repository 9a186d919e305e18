/**
 * Runs and counts checks: one line per check, and at the end `N passed, N failed`. A failed check does not end the
 * suite, so that one run reports all failures. `mustPass` is for checks that the following ones depend on.
 */

let passed = 0
let failed = 0

export class MustPassError extends Error {}

/** Runs one check; a string that it returns, such as a measurement, is printed with it. */
export async function check(name: string, run: () => Promise<unknown>): Promise<boolean> {
  const since = Date.now()
  try {
    const result = await run()
    passed++
    const details = typeof result === 'string' ? `: ${result}` : ''
    console.log(`ok: ${name}${details} (${((Date.now() - since) / 1000).toFixed(1)} s)`)
    return true
  } catch (error) {
    failed++
    console.log(`FAILED: ${name}\n${messagesOf(error)}`)
    return false
  }
}

/** A check that the rest of its part depends on. @throws MustPassError if it fails */
export async function mustPass(name: string, run: () => Promise<unknown>): Promise<void> {
  if (!(await check(name, run))) throw new MustPassError(name)
}

/** Prints the counts and sets the exit code of the process. */
export function finish(): void {
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

function messagesOf(error: unknown): string {
  const lines: string[] = []
  let cause = error
  for (; cause instanceof Error; cause = cause.cause) lines.push(cause.message)
  if (cause !== undefined) lines.push(JSON.stringify(cause))
  return lines.join('\ncaused by ').replace(/^/gm, '  ')
}
