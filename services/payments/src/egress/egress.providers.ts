import type { Provider } from '@nestjs/common'
import type { Env } from '../env.js'
import { EGRESS, EGRESS_POLICY, EgressClient } from './egress-client.js'
import { egressSettings } from './egress-env.js'

/** The client that delivers notifications, and the policy for the URLs of endpoints. */
export function egressProviders(env: Env): Provider[] {
  const settings = egressSettings(env)
  return [
    { provide: EGRESS_POLICY, useValue: settings.policy },
    { provide: EGRESS, useFactory: () => new EgressClient(settings) },
  ]
}
