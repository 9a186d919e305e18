import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, type Call, send } from './edge.ts'

/**
 * Every answer that clients saw, kept to be compared with the database. A client whose request failed
 * sends it once more, with the same key; both are kept.
 */

export type Kind = 'register' | 'login' | 'create' | 'read' | 'move' | 'webhook'

/** What a client wants, and the status by which it knows that it has got it. */
export interface Wish {
  readonly kind: Kind
  readonly call: Call
  readonly expected: number
  /** Idempotency key or webhook id; none for what changes nothing. */
  readonly key?: string
  /** The payment it is about and its version that the client knows of: an answer may not be older. */
  readonly reference?: string
  readonly known?: number
  /** Sent by the one client that writes without a pause. */
  readonly writer?: boolean
}

/** One try: when it was sent (ms since the epoch), how long it took, and what came back. */
export interface Try extends Answer {
  readonly at: number
  readonly ms: number
}

export interface Entry {
  readonly wish: Wish
  readonly tries: readonly Try[]
}

/** As long as a balancer may take to learn that a process is gone. */
const RETRY_AFTER_MS = 3_000

export class Journal {
  readonly entries: Entry[] = []
  /** Every key and webhook id that was ever sent. */
  readonly sent = new Set<string>()
  private readonly open = new Set<number[]>()

  /** Sends what is wished for, once more if it fails; undefined when both failed. */
  async record(wish: Wish): Promise<Answer | undefined> {
    const began = [Date.now()]
    this.open.add(began)
    if (wish.key !== undefined) this.sent.add(wish.key)
    const tries = [await timed(wish.call)]
    if (tries[0]?.status !== wish.expected) {
      await sleep(RETRY_AFTER_MS)
      tries.push(await timed(wish.call))
    }
    this.open.delete(began)
    this.entries.push({ wish, tries })
    const last = tries.at(-1)
    return last?.status === wish.expected ? last : undefined
  }

  /** A request that was not even sent, because too many were under way, has failed. */
  turnAway(wish: Wish) {
    const none = { at: Date.now(), ms: 0, status: 0, replayed: false, body: 'turned away' }
    this.entries.push({ wish, tries: [none] })
  }

  /** When the oldest request that is not answered yet was sent. */
  oldestOpen(): number {
    return Math.min(...[...this.open].flat())
  }

  /** Those whose first try was sent in a span of time. */
  between(from: number, to: number): Entry[] {
    return this.entries.filter(({ tries }) => {
      const at = tries[0]?.at ?? 0
      return at >= from && at < to
    })
  }
}

export function failedAtFirst({ wish, tries }: Entry): boolean {
  return tries[0]?.status !== wish.expected
}

export function failedAgain({ wish, tries }: Entry): boolean {
  return tries.at(-1)?.status !== wish.expected
}

async function timed(call: Call): Promise<Try> {
  const at = Date.now()
  const since = performance.now()
  const answer = await send(call)
  return { ...answer, at, ms: Math.round(performance.now() - since) }
}
