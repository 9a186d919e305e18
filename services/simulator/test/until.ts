import { setTimeout as sleep } from 'node:timers/promises'

const LIMIT_MS = 10_000

/** Waits until the condition holds. @throws after 10 s */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; !(await condition()); await sleep(10)) {
    if (Date.now() > deadline) throw new Error(`the condition does not hold after ${LIMIT_MS} ms`)
  }
}
