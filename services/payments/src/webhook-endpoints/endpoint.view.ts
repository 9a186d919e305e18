import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { Scheme } from './signing.js'

/** The states of an endpoint that is not deleted. */
export const ENDPOINT_STATES = ['enabled', 'disabled'] as const
export type EndpointState = (typeof ENDPOINT_STATES)[number]

/** Why an endpoint is disabled: by its merchant, because it answered 410, or after five days of failures. */
export const DISABLED_REASONS = ['merchant', 'gone', 'failing'] as const
export type DisabledReason = (typeof DISABLED_REASONS)[number]

/** What may be shown of a secret. */
export interface ShownSecret {
  readonly scheme: Scheme
  /** `whpk_…`; null for `v1`. */
  readonly publicKey: string | null
  readonly createdAt: string
  readonly expiresAt: string | null
}

/** An endpoint of a merchant, as `ENDPOINT_COLUMNS` select it. */
export interface StoredEndpoint {
  readonly id: string
  readonly url: string
  readonly events: string[]
  readonly description: string | null
  readonly state: EndpointState
  readonly disabledReason: DisabledReason | null
  readonly failingSince: string | null
  /** The valid ones, newest first. */
  readonly secrets: readonly ShownSecret[]
  readonly createdAt: string
  readonly updatedAt: string
  readonly version: number
}

/** The columns of `endpoint`, a row of `webhook_endpoints`, in the form of `StoredEndpoint`. */
export const ENDPOINT_COLUMNS = `
  endpoint.id, endpoint.url, endpoint.events, endpoint.description, endpoint.state,
  endpoint.disabled_reason AS "disabledReason",
  (
    SELECT ${isoTime('failing_since')}
    FROM webhook_endpoint_health
    WHERE endpoint_id = endpoint.id
  ) AS "failingSince",
  (
    SELECT
      coalesce(
        json_agg(
          json_build_object(
            'scheme', scheme,
            'publicKey', public_key,
            'createdAt', ${isoTime('created_at')},
            'expiresAt', ${isoTime('expires_at')}
          )
          ORDER BY nth DESC
        ),
        '[]'
      )
    FROM webhook_endpoint_secrets
    WHERE endpoint_id = endpoint.id AND coalesce(expires_at > now(), true)
  ) AS secrets,
  ${isoTime('endpoint.created_at')} AS "createdAt",
  ${isoTime('endpoint.updated_at')} AS "updatedAt",
  endpoint.version`

/** The representation of an endpoint in responses. */
export function endpointView({ secrets, ...endpoint }: StoredEndpoint) {
  const [newest] = secrets
  return {
    ...endpoint,
    scheme: newest?.scheme ?? ('v1' as const),
    publicKey: newest?.publicKey ?? null,
    secrets: secrets.map(({ publicKey, createdAt, expiresAt }) => ({
      publicKey,
      createdAt,
      expiresAt,
    })),
  }
}
