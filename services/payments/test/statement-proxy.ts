import { freshDatabase } from '@malipo/testing/database'
import { type Proxy, startProxy } from '@malipo/testing/proxy'
import { migrate } from './payments.js'

/** A proxy before PostgreSQL that watches one statement. */
export interface StatementProxy {
  readonly proxy: Proxy
  /** The URL of a database of the same server, through the proxy. */
  through(databaseUrl: string): string
  /** The text that identifies the statement in the traffic; empty if there is none. */
  statement: string
  /** The number of times that it was sent. */
  sent: number
  /** Closes the connection after PostgreSQL has committed the next statement of this name, before its result arrives. */
  loseResultOf(name: string): void
  /** Watches no statement. */
  reset(): void
}

/** @returns the proxy, and the URL of a migrated database that it can be used for */
export async function startStatementProxy() {
  const databaseUrl = await migratedDatabase()
  const proxy = await startProxy(Number(new URL(databaseUrl).port), (data) => {
    const matches = watched.statement !== '' && data.includes(watched.statement)
    if (matches) watched.sent++
    return matches
  })
  const watched: StatementProxy = {
    proxy,
    through(url) {
      const changed = new URL(url)
      changed.port = String(proxy.port)
      return changed.href
    },
    statement: '',
    sent: 0,
    loseResultOf(name) {
      watched.statement = name
      proxy.loseNextAnswer()
    },
    reset() {
      watched.statement = ''
      watched.sent = 0
    },
  }
  return { watched, databaseUrl }
}

export async function migratedDatabase(): Promise<string> {
  const url = await freshDatabase('payments')
  await migrate(url)
  return url
}
