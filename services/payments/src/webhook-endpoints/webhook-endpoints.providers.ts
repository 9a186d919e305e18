import type { Provider } from '@nestjs/common'
import type { Env } from '../env.js'
import { encryptionKeys } from './encryption-keys.js'
import { SigningSecrets } from './signing-secrets.service.js'
import { WebhookEndpointsService } from './webhook-endpoints.service.js'

export function endpointProviders(env: Pick<Env, 'WEBHOOK_ENCRYPTION_KEYS_DIR'>): Provider[] {
  return [WebhookEndpointsService, SigningSecrets, encryptionKeys(env)]
}
