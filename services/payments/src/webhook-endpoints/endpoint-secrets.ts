import { randomBytes } from 'node:crypto'
import { type Sealed, UnsealError } from '@malipo/kit/seal/seal'
import type { SealRing } from '@malipo/kit/seal/seal-ring'
import {
  publicKeyOf,
  type Scheme,
  SECRET_BYTES,
  SigningSecret,
  symmetricSecret,
} from './signing.js'

/** A new secret as it is stored. */
export interface SealedSecret extends Sealed {
  readonly scheme: Scheme
  /** `whpk_…`; null for `v1`. */
  readonly publicKey: string | null
}

/** A stored secret of an endpoint, with its bytes in base64. */
export interface SealedRow {
  readonly endpointId: string
  readonly scheme: Scheme
  readonly kid: string
  readonly sealed: string
}

type Ring = Pick<SealRing, 'seal' | 'unseal'>

/** A new secret: as it is stored, and what its merchant gets once, which is null for `v1a`. */
export function newSecret(
  ring: Ring,
  endpointId: string,
  scheme: Scheme,
): { readonly sealed: SealedSecret; readonly shown: string | null } {
  const bytes = randomBytes(SECRET_BYTES)
  const isSymmetric = scheme === 'v1'
  const publicKey = isSymmetric ? null : publicKeyOf(bytes)
  const sealed = { ...ring.seal(subjectOf(endpointId, scheme), bytes), scheme, publicKey }
  return { sealed, shown: isSymmetric ? symmetricSecret(bytes) : null }
}

/** @throws UnsealError if its key is missing, or the row was changed or is of another endpoint */
export function unseal(ring: Ring, row: SealedRow): SigningSecret {
  const sealed = { kid: row.kid, bytes: Buffer.from(row.sealed, 'base64') }
  return new SigningSecret(row.scheme, ring.unseal(subjectOf(row.endpointId, row.scheme), sealed))
}

/** What seals a secret to its endpoint and scheme. */
export function subjectOf(endpointId: string, scheme: Scheme): string {
  return `webhook endpoint ${endpointId} ${scheme}`
}

/** The secrets of endpoints, in the order of the rows. `unreadable`: one of them can't be opened. */
export function signingSecrets(
  ring: Ring,
  rows: readonly SealedRow[],
): Map<string, readonly SigningSecret[] | 'unreadable'> {
  const byEndpoint = Map.groupBy(rows, ({ endpointId }) => endpointId)
  return new Map([...byEndpoint].map(([id, own]) => [id, unsealAll(ring, own)]))
}

function unsealAll(ring: Ring, rows: readonly SealedRow[]) {
  try {
    return rows.map((row) => unseal(ring, row))
  } catch (error) {
    if (error instanceof UnsealError) return 'unreadable' as const
    throw error
  }
}
