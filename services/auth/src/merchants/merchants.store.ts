import type { Run, Statement } from '@malipo/kit/postgres/database'

/* Triggers revoke the merchant's keys, and the scopes and sessions of its user. Executed late or twice, it is the same. */
const MERCHANT_CLOSE: Statement = {
  name: 'merchant_close',
  text: `
    WITH target AS MATERIALIZED (
      SELECT id, closed_at FROM merchants WHERE id = $1 FOR NO KEY UPDATE
    ), closed AS (
      UPDATE merchants
      SET closed_at = clock_timestamp(), closed_by = $2
      FROM target
      WHERE merchants.id = target.id AND target.closed_at IS NULL
    )
    SELECT id FROM target`,
}

/** @returns false if the merchant does not exist */
export async function closeMerchant(run: Run, id: string, actor: string): Promise<boolean> {
  return (await run(MERCHANT_CLOSE, [id, actor])).length > 0
}
