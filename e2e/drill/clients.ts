import type { Account } from './client.ts'
import { newAccount } from './client.ts'
import { Journal } from './journal.ts'
import { LogoutLoad } from './logouts.ts'
import { Load } from './load.ts'
import { RELEASE, namespace } from './release.ts'

/** Clients of a release: an account with its load and journal, and a load of logouts. */
export interface Clients {
  readonly account: Account
  readonly journal: Journal
  readonly load: Load
  readonly logouts: LogoutLoad
  /** The secret that signs webhooks. */
  readonly webhookSecret: string
  /** The account's user id, the owner of the payments. */
  owner(): string
}

export async function newClients(): Promise<Clients> {
  const account = newAccount()
  const journal = new Journal()
  // One line `provider=whsec_…` per provider.
  const secrets = await namespace.secret(`${RELEASE}-payments`, 'webhooks')
  const [, webhookSecret = ''] = /^[^=]+=(\S+)/.exec(secrets) ?? []
  const owner = () => {
    const registered = journal.entries.find(({ operation }) => operation.kind === 'register')
    const { id } = (registered?.attempts.at(-1)?.body ?? {}) as { id?: string }
    if (id === undefined) throw new Error('the account is not registered')
    return id
  }
  const load = new Load(journal, account, webhookSecret)
  return { account, journal, webhookSecret, load, logouts: new LogoutLoad(), owner }
}
