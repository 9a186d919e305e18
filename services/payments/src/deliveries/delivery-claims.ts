import { Database } from '@malipo/kit/postgres/database'
import { Inject, Injectable } from '@nestjs/common'
import type { SigningSecret } from '../webhook-endpoints/signing.js'
import { SigningSecrets } from '../webhook-endpoints/signing-secrets.service.js'
import { claimDeliveries, type ClaimedDelivery, type ClaimRequest } from './claim.store.js'

/** A claimed delivery, and what its signature is made with. */
export interface SignedClaim {
  readonly claimed: ClaimedDelivery
  /** The valid secrets of the endpoint; undefined if it was deleted since the claim. */
  readonly secrets: readonly SigningSecret[] | 'unreadable' | undefined
}

/** Claims deliveries that are due, with the secrets of their endpoints. */
@Injectable()
export class DeliveryClaims {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(SigningSecrets) private readonly secrets: SigningSecrets,
  ) {}

  async claim(request: ClaimRequest): Promise<SignedClaim[]> {
    const all = await this.database.write((run, retried) => claimDeliveries(run, request, retried))
    if (all.length === 0) return []
    const ids = [...new Set(all.map(({ endpointId }) => endpointId))]
    const secrets = await this.database.read((run) => this.secrets.secretsOf(run, ids))
    return all.map((claimed) => ({ claimed, secrets: secrets.get(claimed.endpointId) }))
  }
}
