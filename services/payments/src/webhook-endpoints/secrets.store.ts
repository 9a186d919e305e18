import type { Run, Statement } from '@malipo/kit/postgres/database'
import { StaleWrite } from '@malipo/kit/postgres/retry'
import type { SealedRow, SealedSecret } from './endpoint-secrets.js'
import type { StoredEndpoint } from './endpoint.view.js'
import { findEndpoint, secretValues } from './endpoints.store.js'
import { rotation, type StoredSecret } from './rotation.js'
import type { Scheme } from './signing.js'

const SECRETS_OF: Statement = {
  name: 'endpoint_secrets_of',
  text: `
    SELECT endpoint_id AS "endpointId", scheme, key_id AS kid, encode(sealed, 'base64') AS sealed
    FROM webhook_endpoint_secrets
    WHERE endpoint_id = ANY ($1) AND coalesce(expires_at > now(), true)
    ORDER BY endpoint_id, nth DESC`,
}

/** The valid secrets of endpoints, the newest of each first. A deleted endpoint has none. */
export async function sealedSecretsOf(
  run: Run,
  endpointIds: readonly string[],
): Promise<SealedRow[]> {
  return run<SealedRow>(SECRETS_OF, [endpointIds])
}

const STORED: Statement = {
  name: 'endpoint_secrets_stored',
  text: `
    SELECT
      endpoint.version,
      coalesce(
        json_agg(
          json_build_object(
            'nth', nth,
            'scheme', scheme,
            'isExpired', coalesce(expires_at <= now(), false),
            'isOwn', sealed = $3::bytea
          )
          ORDER BY nth
        ) FILTER (WHERE nth IS NOT NULL),
        '[]'
      ) AS secrets
    FROM webhook_endpoints AS endpoint
    LEFT JOIN webhook_endpoint_secrets ON endpoint_id = endpoint.id
    WHERE endpoint.id = $1 AND owner_id = $2 AND state <> 'deleted'
    GROUP BY endpoint.version`,
}

interface StoredSecrets {
  readonly version: number
  readonly secrets: readonly (StoredSecret & {
    readonly scheme: Scheme
    /** Whether an earlier attempt of this rotation has stored it. */
    readonly isOwn: boolean
  })[]
}

const SCHEME: Statement = {
  name: 'endpoint_scheme',
  text: `
    SELECT scheme
    FROM webhook_endpoint_secrets
    JOIN webhook_endpoints AS endpoint ON endpoint.id = endpoint_id
    WHERE endpoint.id = $1 AND owner_id = $2 AND state <> 'deleted'
    ORDER BY nth DESC
    LIMIT 1`,
}

/** The scheme of an endpoint's secrets; undefined if the merchant has no such endpoint. */
export async function schemeOf(run: Run, id: string, ownerId: string): Promise<Scheme | undefined> {
  return (await run<{ scheme: Scheme }>(SCHEME, [id, ownerId]))[0]?.scheme
}

/*
 * Every change of an endpoint's secrets by the API increments its version. So the version that was read, found again
 * under the row's lock, shows that the secrets are still those that were read.
 */
const ROTATE: Statement = {
  name: 'endpoint_secret_rotate',
  text: `
    WITH rotated AS (
      UPDATE webhook_endpoints
      SET version = version + 1, updated_at = now(), operation_id = NULL
      WHERE id = $1
        AND owner_id = $2
        AND version = $3
        AND state <> 'deleted'
        AND clock_timestamp() < $4::timestamptz
      RETURNING id
    ), dropped AS (
      DELETE FROM webhook_endpoint_secrets
      USING rotated
      WHERE endpoint_id = rotated.id AND nth = ANY ($5::integer[])
    ), shortened AS (
      UPDATE webhook_endpoint_secrets
      SET expires_at = now() + make_interval(secs => $7)
      FROM rotated
      WHERE endpoint_id = rotated.id AND nth = $6
    )
    INSERT INTO webhook_endpoint_secrets
      (endpoint_id, nth, scheme, key_id, sealed, public_key, created_at)
    SELECT id, $8, $9, $10, $11::bytea, $12, now()
    FROM rotated
    RETURNING nth`,
}

export interface SecretRotation {
  readonly id: string
  readonly ownerId: string
  readonly secret: SealedSecret
  readonly overlapSeconds: number
  /** A later execution has no effect; by the database's clock, ISO 8601. */
  readonly deadline: string
}

/**
 * Replaces a secret. An earlier attempt of this rotation is found by the sealed bytes, whose nonce is random.
 *
 * @returns undefined if the merchant has no such endpoint
 * @throws StaleWrite if another write has changed the endpoint, or after the deadline
 */
export async function rotateSecret(
  run: Run,
  { id, ownerId, secret, overlapSeconds, deadline }: SecretRotation,
): Promise<StoredEndpoint | undefined> {
  const [stored] = await run<StoredSecrets>(STORED, [id, ownerId, secret.bytes])
  if (!stored) return undefined
  if (!stored.secrets.some(({ isOwn }) => isOwn)) {
    const { nth, drop, expire } = rotation(stored.secrets, overlapSeconds)
    const target = [id, ownerId, stored.version, deadline]
    const change = [drop, expire ?? null, overlapSeconds, nth]
    const rows = await run(ROTATE, [...target, ...change, ...secretValues(secret)])
    if (rows.length === 0) throw new StaleWrite()
  }
  return findEndpoint(run, id, ownerId)
}
