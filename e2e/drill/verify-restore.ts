import { type Payment, login, tokenIn } from './client.ts'
import type { Clients } from './clients.ts'
import { send } from './http.ts'
import type { Entry } from './journal.ts'

const CONCURRENCY = 8

/**
 * Reads all known payments through the edge after a restore to `target` (ms since the epoch). Payments acknowledged
 * before it must exist, at least in the acknowledged version. Payments requested after it must not exist. Payments in
 * between may exist.
 *
 * @returns the number of restored payments
 */
export async function verifyRestore(
  { account, journal }: Clients,
  target: number,
): Promise<number> {
  const { body } = await send(login(account).request)
  const token = tokenIn(body)
  const acknowledged = new Map<string, number>()
  const later = new Set<string>()
  for (const entry of journal.entries) classify(entry, target, acknowledged, later)
  const all = [...acknowledged].map(([reference, version]) => ({ reference, version }))
  const expected = [...all, ...[...later].map((reference) => ({ reference, version: 0 }))]
  const problems: string[] = []
  for (let i = 0; i < expected.length; i += CONCURRENCY) {
    const some = expected.slice(i, i + CONCURRENCY)
    const lines = await Promise.all(
      some.map((one) => problemsOf(token, one.reference, one.version)),
    )
    problems.push(...lines.flat())
  }
  if (problems.length > 0) throw new Error(problems.slice(0, 20).join('\n'))
  if (acknowledged.size === 0 || later.size === 0) throw new Error('no payments to compare')
  return acknowledged.size
}

/** Adds an entry's payment to those acknowledged before `target`, or to those created after it. */
function classify(
  entry: Entry,
  target: number,
  acknowledged: Map<string, number>,
  later: Set<string>,
) {
  const { operation, attempts } = entry
  const answer = attempts.at(-1)
  const payment = answer?.body as Payment
  if (!answer || answer.status !== operation.expectedStatus || payment.reference === undefined)
    return
  if (answer.at + answer.ms < target) {
    acknowledged.set(
      payment.reference,
      Math.max(payment.version, acknowledged.get(payment.reference) ?? 0),
    )
  }
  const isNew = operation.kind === 'create' && !answer.replayed
  if (isNew && (attempts[0]?.at ?? 0) >= target) later.add(payment.reference)
}

async function problemsOf(token: string, reference: string, version: number): Promise<string[]> {
  const path = `/api/payments/${reference}`
  const headers = { authorization: `Bearer ${token}` }
  const { status, body } = await send({ method: 'GET', path, headers })
  if (version === 0)
    return status === 404 ? [] : [`created after the target time, but found: ${reference}`]
  if (status !== 200) return [`lost: ${reference}, status ${status}`]
  const found = (body as Payment).version
  return found >= version ? [] : [`${reference} has version ${found}, acknowledged was ${version}`]
}
