import type { Adapter, Credentials } from '../adapter.js'
import type { GrantReading } from '../reading.js'
import { type GrantFailure, type GrantTiming, HeldGrant } from './held-grant.js'

export type GrantValues = Readonly<Record<string, string>>

/** The values that a request needs, or why they can't be had. */
export type ObtainedGrants =
  { readonly kind: 'granted'; readonly values: GrantValues } | GrantFailure

/** What a grant is requested with. */
export interface GrantInput {
  readonly name: string
  readonly credentials: Credentials
  readonly values: GrantValues
}

export interface GrantAnswer {
  readonly reading: GrantReading
  /** The HTTP status; undefined without an answer. */
  readonly status?: number
}

/** The grants of one set of credentials. */
export class GrantSet {
  private readonly grants: ReadonlyMap<string, HeldGrant>

  constructor(
    readonly credentials: Credentials,
    private readonly definitions: NonNullable<Adapter['grants']>,
    private readonly request: (input: GrantInput) => Promise<GrantAnswer>,
    timing: GrantTiming,
  ) {
    const names = Object.keys(definitions)
    this.grants = new Map(
      names.map((name) => [name, new HeldGrant(() => this.fetch(name), timing)] as const),
    )
  }

  /** Obtains the grants one after the other; the first one that can't be had ends it. */
  async obtain(names: readonly string[]): Promise<ObtainedGrants> {
    const values: Record<string, string> = {}
    for (const name of names) {
      const grant = this.grants.get(name)
      if (!grant) throw new Error(`the adapter has no grant ${name}`)
      const obtained = await grant.obtain()
      if (obtained.kind !== 'granted') return obtained
      values[name] = obtained.value
    }
    return { kind: 'granted', values }
  }

  /** As `HeldGrant.reject`, of a value in `values`; false if the request used no such grant. */
  reject(name: string, values: GrantValues): boolean {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    return value !== undefined && (this.grants.get(name)?.reject(value) ?? false)
  }

  private async fetch(name: string): Promise<GrantReading | GrantFailure> {
    const needs = this.definitions[name]?.needs ?? []
    const needed = await this.obtain(needs)
    if (needed.kind !== 'granted') return needed
    const { credentials } = this
    const { values } = needed
    const { reading, status } = await this.request({ name, credentials, values })
    // A reading of a grant can't name another grant that the provider rejected.
    const isReplaced =
      status === 401 && needs.filter((need) => this.reject(need, values)).length > 0
    return isReplaced ? { kind: 'unavailable' } : reading
  }
}
