import type { BookCharge, BookFacts } from './verdict.ts'

/** The simulator's book, by its API of operators: docs/simulator.md. Times are in ms since the epoch. */

export interface BookEntry extends BookCharge {
  readonly nth: number
  readonly reference: string
  readonly personality: string
  readonly acceptedAt: number
  /** When queries began to report the end; undefined if they do not yet, or never will. */
  readonly decidedAt: number | undefined
  /** When the charge was requested again. */
  readonly repeatsAt: readonly number[]
  /** The reference of the payment, which each provider gets in another field. */
  readonly paymentReference: string | undefined
}

type Answered = Omit<
  BookEntry,
  'acceptedAt' | 'repeatsAt' | 'paymentReference' | 'decidedAt' | 'steps'
> & {
  readonly steps: readonly (BookCharge['steps'][number] & { readonly doneAt: string | null })[]
  readonly acceptedAt: string
  readonly repeatsAt: readonly string[]
}

interface Rejections {
  readonly provider: string
  readonly reference: string
  readonly rejectedAt: readonly string[]
}

const PAGE = 1_000
const PAYMENT_REFERENCE = /PAY-[\da-f-]{36}/

/** Reads a path of the API, and returns the body. */
export type Read = (path: string) => Promise<unknown>

export class Book {
  private readonly read: Read
  private readonly charges = new Map<string, BookEntry>()
  private rejections = new Map<string, readonly number[]>()
  private last = 0

  constructor(read: Read) {
    this.read = read
  }

  /** Reads the charges since the last call. What an earlier one has in the end is decided when it is accepted. */
  async update(): Promise<void> {
    for (let next: number | null = this.last; next !== null;) {
      const path = `/admin/charges?after=${next}&limit=${PAGE}`
      const page = (await this.read(path)) as { data: Answered[]; next: number | null }
      for (const charge of page.data) {
        this.last = charge.nth
        this.charges.set(keyOf(charge.provider, charge.reference), entryOf(charge))
      }
      next = page.next
    }
    const { data } = (await this.read('/admin/rejections')) as { data: Rejections[] }
    const times = data.map(
      ({ provider, reference, rejectedAt }) =>
        [keyOf(provider, reference), rejectedAt.map(Date.parse)] as const,
    )
    this.rejections = new Map(times)
  }

  get entries(): readonly BookEntry[] {
    return [...this.charges.values()]
  }

  /** The number of requests for money. */
  get requests(): number {
    const accepted = this.entries.map(({ repeatsAt }) => 1 + repeatsAt.length)
    const rejected = [...this.rejections.values()].map(({ length }) => length)
    return [...accepted, ...rejected].reduce((sum, count) => sum + count, 0)
  }

  find(provider: string, reference: string): BookEntry | undefined {
    return this.charges.get(keyOf(provider, reference))
  }

  rejectedAt(provider: string, reference: string): readonly number[] {
    return this.rejections.get(keyOf(provider, reference)) ?? []
  }

  factsOf(provider: string, reference: string): BookFacts {
    const charge = this.find(provider, reference)
    return { charge, rejections: this.rejectedAt(provider, reference).length }
  }

  /** The rejected requests: the provider with the reference, and the time of the last rejection. */
  get rejected(): readonly { readonly key: string; readonly at: number }[] {
    return [...this.rejections].map(([key, times]) => ({ key, at: Math.max(...times) }))
  }
}

/** Reads from a simulator that this machine reaches. */
export function readFrom(origin: URL): Read {
  return async (path) => {
    const response = await fetch(new URL(path, origin), { signal: AbortSignal.timeout(30_000) })
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`)
    return response.json()
  }
}

export function keyOf(provider: string, reference: string): string {
  return `${provider} ${reference}`
}

function entryOf({ acceptedAt, repeatsAt, ...charge }: Answered): BookEntry {
  return {
    ...charge,
    acceptedAt: Date.parse(acceptedAt),
    decidedAt: decidedAt(charge.steps),
    repeatsAt: repeatsAt.map((at) => Date.parse(at)),
    paymentReference: PAYMENT_REFERENCE.exec(JSON.stringify(charge))?.[0],
  }
}

/** A callback decides nothing, since queries do not depend on it. */
function decidedAt(steps: Answered['steps']): number | undefined {
  const deciding = steps.filter(({ type }) => type !== 'callback')
  if (deciding.some(({ doneAt }) => doneAt === null)) return undefined
  return Math.max(...deciding.map(({ doneAt }) => Date.parse(doneAt ?? '')))
}
