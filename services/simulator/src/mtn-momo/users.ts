import type { MtnAccount } from '../accounts.js'
import type { Part } from '../book/journal.js'
import type { BookRecord } from '../book/records.js'
import type { Credentials } from '../http/access-token.js'

/** An API user, from the accounts file or provisioned in the sandbox. */
export interface User extends Credentials, Omit<MtnAccount, 'userId' | 'apiKey'> {
  readonly isProvisioned: boolean
}

/** Provisioned users that are remembered, the latest. */
const MAX_USERS = 1_000

const PROVISIONED = {
  isProvisioned: true,
  targetEnvironment: 'sandbox',
  platform: 'legacy',
  callbackMethod: 'POST',
  tokenSeconds: 3_600,
  tokenDelayMs: 0,
  queriesPerSecond: 10,
} as const

/** MTN's API users. A provisioned one has an empty secret until its key is created. */
export class Users implements Part {
  private readonly configured: ReadonlyMap<string, User>
  private readonly provisioned = new Map<string, User>()

  constructor(accounts: readonly MtnAccount[]) {
    const users = accounts.map(({ userId, apiKey, ...rest }) => ({
      ...rest,
      id: userId,
      secret: apiKey,
      isProvisioned: false,
    }))
    this.configured = new Map(users.map((user) => [user.id, user]))
  }

  find(id: string): User | undefined {
    return this.configured.get(id) ?? this.provisioned.get(id)
  }

  apply(record: BookRecord): void {
    if (record.kind === 'api-user') {
      const { id, callbackHost, subscriptionKey } = record
      this.provisioned.set(id, { ...PROVISIONED, id, secret: '', callbackHost, subscriptionKey })
      const [oldest] = this.provisioned.keys()
      if (this.provisioned.size > MAX_USERS && oldest) this.provisioned.delete(oldest)
    }
    if (record.kind === 'api-key') {
      const user = this.provisioned.get(record.id)
      // A new key invalidates the tokens of the old one, since tokens are signed with it.
      if (user) this.provisioned.set(record.id, { ...user, secret: record.apiKey })
    }
  }

  *records(): Generator<BookRecord> {
    for (const { id, callbackHost, subscriptionKey, secret } of this.provisioned.values()) {
      yield { kind: 'api-user', id, callbackHost, subscriptionKey }
      if (secret) yield { kind: 'api-key', id, apiKey: secret }
    }
  }
}
