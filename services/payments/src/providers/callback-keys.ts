import { KeyRing } from '@malipo/kit/worker/key-ring'
import { Workers } from '@malipo/kit/worker/workers'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import type { Provider } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { Env } from '../env.js'

/** The injection token of the `KeyRing` with the keys of nonces. The current key makes those of new attempts. */
export const CALLBACK_KEYS = Symbol('the keys of callback URLs')

const KEYS = {
  title: 'callback keys',
  name: 'callback_keys_poll',
  gauge: {
    name: 'callback_keys_unreadable',
    help: '1 while CALLBACK_KEYS_FILE is unreadable and the previous keys stay in use',
  },
  variable: 'CALLBACK_KEYS_FILE',
}

export function callbackKeys({
  CALLBACK_KEYS_FILE: path,
}: Pick<Env, 'CALLBACK_KEYS_FILE'>): Provider {
  return {
    provide: CALLBACK_KEYS,
    inject: [LOG, Registry, Workers],
    useFactory: (log: Logger, registry: Registry, workers: Workers) =>
      new KeyRing({ ...KEYS, path }, log, registry, workers),
  }
}
