import { type Payment, login, tokenIn } from './client.ts'
import type { Clients } from './clients.ts'
import { send } from './edge.ts'
import type { Entry } from './journal.ts'

const AT_ONCE = 8

/**
 * Reads through the edge each payment that clients know of: those acknowledged before `target` (ms since
 * the epoch) must be there, in no older version than was told by then, and those asked for after it must
 * not. Of those between the two either is right.
 *
 * @returns how many are there
 */
export async function readBack({ account, journal }: Clients, target: number): Promise<number> {
  const { body } = await send(login(account).call)
  const token = tokenIn(body)
  const told = new Map<string, number>()
  const later = new Set<string>()
  for (const entry of journal.entries) note(entry, target, told, later)
  const all = [...told].map(([reference, version]) => ({ reference, version }))
  const expected = [...all, ...[...later].map((reference) => ({ reference, version: 0 }))]
  const wrong: string[] = []
  for (let i = 0; i < expected.length; i += AT_ONCE) {
    const some = expected.slice(i, i + AT_ONCE)
    const lines = await Promise.all(some.map((one) => look(token, one.reference, one.version)))
    wrong.push(...lines.flat())
  }
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'))
  if (told.size === 0 || later.size === 0) throw new Error('there was nothing to compare')
  return told.size
}

/** What an entry says of a payment: the newest version told before the second, or made only after it. */
function note(entry: Entry, target: number, told: Map<string, number>, later: Set<string>) {
  const { wish, tries } = entry
  const answer = tries.at(-1)
  const payment = answer?.body as Payment
  if (!answer || answer.status !== wish.expected || payment.reference === undefined) return
  if (answer.at + answer.ms < target) {
    told.set(payment.reference, Math.max(payment.version, told.get(payment.reference) ?? 0))
  }
  const isMade = wish.kind === 'create' && !answer.replayed
  if (isMade && (tries[0]?.at ?? 0) >= target) later.add(payment.reference)
}

async function look(token: string, reference: string, version: number): Promise<string[]> {
  const path = `/api/payments/${reference}`
  const headers = { authorization: `Bearer ${token}` }
  const { status, body } = await send({ method: 'GET', path, headers })
  if (version === 0)
    return status === 404 ? [] : [`made after that second, and there: ${reference}`]
  if (status !== 200) return [`lost: ${reference}, answered ${status}`]
  const found = (body as Payment).version
  return found >= version ? [] : [`${reference} is version ${found}, told was ${version}`]
}
