import type { Run } from '@malipo/kit/postgres/database'
import { SealRing } from '@malipo/kit/seal/seal-ring'
import { Inject, Injectable } from '@nestjs/common'
import { signingSecrets } from './endpoint-secrets.js'
import { sealedSecretsOf } from './secrets.store.js'
import type { SigningSecret } from './signing.js'

/** The secrets with which deliveries are signed. */
@Injectable()
export class SigningSecrets {
  constructor(@Inject(SealRing) private readonly ring: SealRing) {}

  /**
   * The valid secrets of endpoints. An endpoint that was deleted is not in the map. `unreadable`: the key set lacks the
   * key of a secret, or the row was changed. Such an endpoint gets no delivery, rather than one that it rejects.
   */
  async secretsOf(
    run: Run,
    endpointIds: readonly string[],
  ): Promise<ReadonlyMap<string, readonly SigningSecret[] | 'unreadable'>> {
    return signingSecrets(this.ring, await sealedSecretsOf(run, endpointIds))
  }
}
