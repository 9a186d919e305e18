import { isDeepStrictEqual } from 'node:util'
import type { KeyRing } from '@malipo/kit/worker/key-ring'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { callbackUrlOf, type ProviderAccount } from '../providers/accounts.js'
import type { Adapter } from '../providers/adapter.js'
import { CALLBACK_KEYS } from '../providers/callback-keys.js'
import { type ClientDependencies, ProviderClient } from '../providers/client/provider-client.js'
import { nonceOf } from '../providers/nonce.js'
import { ProviderAccounts } from '../providers/provider-accounts.js'
import { adapterNamed } from '../providers/registry.js'
import { RecoveryGate } from './recovery-gate.js'

/** The injection token of what clients need. */
export const CLIENT_DEPENDENCIES = Symbol('client dependencies')

/** An account with what calls to it need. */
export interface ClientOf {
  readonly account: ProviderAccount
  readonly adapter: Adapter
  readonly client: ProviderClient
  callbackUrlOf(attemptId: string): string | undefined
}

/** The clients of the accounts in use. An account that changes gets another client. */
@Injectable()
export class Clients implements OnApplicationShutdown {
  private clients = new Map<string, ClientOf>()

  constructor(
    @Inject(ProviderAccounts) accounts: ProviderAccounts,
    @Inject(CLIENT_DEPENDENCIES) private readonly dependencies: ClientDependencies,
    @Inject(CALLBACK_KEYS) private readonly keys: KeyRing,
    @Inject(RecoveryGate) private readonly gate: RecoveryGate,
  ) {
    accounts.onChange((all) => this.replace(all))
  }

  /** Whether providers may be called: not after a restore, until it is recorded. */
  get mayCall(): boolean {
    return this.gate.isOpen
  }

  get names(): readonly string[] {
    return [...this.clients.keys()]
  }

  find(name: string): ClientOf | undefined {
    return this.clients.get(name)
  }

  async onApplicationShutdown() {
    await Promise.all([...this.clients.values()].map(({ client }) => client.close()))
  }

  private replace(accounts: readonly ProviderAccount[]) {
    const before = this.clients
    const open = accounts.filter(({ state }) => state !== 'closed')
    this.clients = new Map(open.map((account) => [account.name, this.clientFor(account, before)]))
    for (const [name, old] of before) {
      if (this.clients.get(name) !== old) void old.client.close()
    }
  }

  private clientFor(account: ProviderAccount, before: ReadonlyMap<string, ClientOf>): ClientOf {
    const old = before.get(account.name)
    if (old && isDeepStrictEqual(old.account, account)) return old
    const adapter = adapterNamed(account.adapter)
    if (!adapter) throw new Error(`there is no adapter ${account.adapter}`)
    const client = new ProviderClient(account, adapter, this.dependencies)
    const { url } = adapter.capabilities.callback
    return {
      account,
      adapter,
      client,
      callbackUrlOf: (id) =>
        callbackUrlOf(account, url, { id, nonce: nonceOf(this.keys.current, account.name, id) }),
    }
  }
}
