import { NIL_UUID } from '@malipo/kit/postgres/uuid-v7'
import type { DataSource } from 'typeorm'
import type { Sealed } from '@malipo/kit/seal/seal'
import type { Scheme } from './signing.js'

/** A stored secret with its position. */
export interface StoredSeal {
  readonly endpointId: string
  readonly nth: number
  readonly scheme: Scheme
  readonly kid: string
  readonly sealed: Buffer
}

const BATCH_SIZE = 500

const OUTDATED = `
  SELECT endpoint_id AS "endpointId", nth, scheme, key_id AS kid, encode(sealed, 'base64') AS sealed
  FROM webhook_endpoint_secrets
  WHERE key_id <> $1 AND (endpoint_id, nth) > ($2, $3)
  ORDER BY endpoint_id, nth
  LIMIT ${BATCH_SIZE}`

/** The secrets that another key has sealed, in batches. */
export async function* outdatedSecrets(
  source: DataSource,
  kid: string,
): AsyncGenerator<StoredSeal> {
  let after = { endpointId: NIL_UUID, nth: 0 }
  for (;;) {
    const rows = await source.query<(Omit<StoredSeal, 'sealed'> & { sealed: string })[]>(OUTDATED, [
      kid,
      after.endpointId,
      after.nth,
    ])
    for (const { sealed, ...row } of rows) {
      yield { ...row, sealed: Buffer.from(sealed, 'base64') }
    }
    const last = rows.at(-1)
    if (!last || rows.length < BATCH_SIZE) return
    after = last
  }
}

/* A rotation may have deleted the secret meanwhile, and another run of the command may have sealed it. */
const REPLACE = `
  WITH replaced AS (
    UPDATE webhook_endpoint_secrets
    SET key_id = $3, sealed = $4
    WHERE endpoint_id = $1 AND nth = $2 AND sealed = $5
    RETURNING 1
  )
  SELECT count(*)::integer AS count FROM replaced`

/** @returns the number of replaced rows: 0 if the secret was replaced or deleted meanwhile */
export async function replaceSealed(
  source: DataSource,
  { endpointId, nth, sealed }: StoredSeal,
  { kid, bytes }: Sealed,
): Promise<number> {
  const values = [endpointId, nth, kid, bytes, sealed]
  const [row] = await source.query<{ count: number }[]>(REPLACE, values)
  return row?.count ?? 0
}
