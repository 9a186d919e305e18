import { SealRing } from '@malipo/kit/seal/seal-ring'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { Workers } from '@malipo/kit/worker/workers'
import type { Provider } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { Env } from '../env.js'

const KEYS = {
  title: 'webhook encryption keys',
  name: 'webhook_encryption_keys_poll',
  gauge: {
    name: 'webhook_encryption_keys_unreadable',
    help: '1 while WEBHOOK_ENCRYPTION_KEYS_DIR is unreadable and the previous keys stay in use',
  },
  variable: 'WEBHOOK_ENCRYPTION_KEYS_DIR',
}

/** Provides the `SealRing` of the secrets of endpoints. */
export function encryptionKeys({
  WEBHOOK_ENCRYPTION_KEYS_DIR: path,
}: Pick<Env, 'WEBHOOK_ENCRYPTION_KEYS_DIR'>): Provider {
  return {
    provide: SealRing,
    inject: [LOG, Registry, Workers],
    useFactory: (log: Logger, registry: Registry, workers: Workers) =>
      new SealRing({ ...KEYS, path }, log, registry, workers),
  }
}
