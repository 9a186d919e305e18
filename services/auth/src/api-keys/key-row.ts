import { isoTime } from '@malipo/kit/postgres/iso-time'
import type { ApiKey } from './api-key.entity.js'

/** A key as its merchant sees it. */
export type KeyRow = Pick<
  ApiKey,
  | 'id'
  | 'name'
  | 'hint'
  | 'scopes'
  | 'replaces'
  | 'createdBy'
  | 'createdAt'
  | 'expiresAt'
  | 'rotatedAt'
  | 'lastUsedAt'
  | 'revokedAt'
  | 'revocationCause'
>

/** The columns of `KeyRow` in a table or CTE. */
export const keyColumns = (from: string) => `
  ${from}.id, ${from}.name, ${from}.hint, ${from}.scopes, ${from}.replaces,
  ${from}.created_by AS "createdBy",
  ${isoTime(`${from}.created_at`)} AS "createdAt",
  ${isoTime(`${from}.expires_at`)} AS "expiresAt",
  ${isoTime(`${from}.rotated_at`)} AS "rotatedAt",
  ${isoTime(`${from}.last_used_at`)} AS "lastUsedAt",
  ${isoTime(`${from}.revoked_at`)} AS "revokedAt",
  ${from}.revocation_cause AS "revocationCause"`
