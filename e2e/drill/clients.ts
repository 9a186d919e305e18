import type { Account } from './client.ts'
import { newAccount } from './client.ts'
import { Journal } from './journal.ts'
import { Leavers } from './leavers.ts'
import { Load } from './load.ts'
import { RELEASE, space } from './release.ts'

/** Clients of a release: an account, a load under it, the journal of what they saw, and others who log out. */
export interface Clients {
  readonly account: Account
  readonly journal: Journal
  readonly load: Load
  readonly leavers: Leavers
  /** What the provider signs with. */
  readonly secret: string
  /** The account's id, whose payments these are. */
  owner(): string
}

export async function newClients(): Promise<Clients> {
  const account = newAccount()
  const journal = new Journal()
  // A line `provider=whsec_…` for each provider.
  const secrets = await space.secret(`${RELEASE}-payments`, 'webhooks')
  const [, secret = ''] = /^[^=]+=(\S+)/.exec(secrets) ?? []
  const owner = () => {
    const registered = journal.entries.find(({ wish }) => wish.kind === 'register')
    const { id } = (registered?.tries.at(-1)?.body ?? {}) as { id?: string }
    if (id === undefined) throw new Error('nobody is registered')
    return id
  }
  const load = new Load(journal, account, secret)
  return { account, journal, secret, load, leavers: new Leavers(), owner }
}
