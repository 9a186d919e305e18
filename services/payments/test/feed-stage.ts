import type { Answer } from '@malipo/testing/conformity'
import { afterAll } from 'vitest'
import { newUser } from './auth.js'
import { startPayments } from './payments.js'
import { newPaymentsDatabase, ownServer } from './payments-database.js'

/** The service on its own PostgreSQL: a transaction in any database of a server delays the feed. */

export interface FeedEvent {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Record<string, unknown> & { readonly reference: string; readonly version: number }
}

interface Page {
  readonly data: readonly FeedEvent[]
  readonly nextCursor: string
  readonly hasMore: boolean
}

export async function withFeed() {
  const server = await ownServer()
  const database = await newPaymentsDatabase(server.url)
  const payments = await startPayments({
    DATABASE_URL: database.url,
    WEBHOOK_ALLOW_HOSTS: '127.0.0.1',
  })
  afterAll(async () => {
    await payments.close()
    await database.close()
    await server.stop()
  })
  return { payments, database, owner: await newUser() }
}

type Sender = Pick<Awaited<ReturnType<typeof newUser>>, 'token'>
type Stage = Pick<Awaited<ReturnType<typeof withFeed>>, 'payments'>

/** Reads events of a merchant. */
export function feedOf({ token }: Sender, { payments }: Stage) {
  const get = (query = ''): Promise<Answer> => payments.client.get(`/api/events${query}`, { token })
  const page = async (query = ''): Promise<Page> => {
    const { status, body } = await get(query)
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
    return body as Page
  }
  /** Reads pages until there are no more. */
  const rest = async (query: string, cursor?: string) => {
    const events: FeedEvent[] = []
    let next = cursor
    for (;;) {
      const from: string = next === undefined ? '' : `&cursor=${next}`
      const { data, nextCursor, hasMore } = await page(`?${query}${from}`)
      events.push(...data)
      next = nextCursor
      if (!hasMore) return { events, cursor: next }
    }
  }
  return { get, page, rest }
}

export const named = (events: readonly FeedEvent[]) =>
  events.map(({ type, data }) => `${data.reference} ${data.version} ${type}`)
