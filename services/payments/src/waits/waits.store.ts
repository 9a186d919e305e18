import type { Run, Statement } from '@malipo/kit/postgres/database'

/** A payment and its version. */
export interface PaymentVersion {
  readonly id: string
  readonly version: number
}

/** One execution serves all requests that wait, so it is not `batched`: a batch has at most `DB_BATCH_MAX` items. */
const NEWER_VERSIONS: Statement = {
  name: 'payment_newer_versions',
  text: `
SELECT payments.id, payments.version
FROM json_to_recordset($1) AS seen (id uuid, version integer)
JOIN payments USING (id)
WHERE payments.version > seen.version`,
}

/** The payments that have changed since the given versions, each with its current version. */
export function newerVersions(
  run: Run,
  seen: readonly PaymentVersion[],
): Promise<PaymentVersion[]> {
  return run<PaymentVersion>(NEWER_VERSIONS, [JSON.stringify(seen)])
}
