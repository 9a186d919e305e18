import type { Run, Statement } from '@malipo/kit/postgres/database'
import type { StoredAccount } from './account-edits.js'
import type { ProviderAccount } from './accounts.js'

/** The accounts that the database knows, with their state. */

const FIND: Statement = {
  name: 'provider_accounts_find',
  text: `
SELECT
  name, adapter, mode, country, currency, base_url AS "baseUrl", state,
  (SELECT count(*) FROM attempt_work WHERE account = name)::integer AS "openAttempts"
FROM provider_accounts
ORDER BY name`,
}

/** Every account that was ever used, with the number of its attempts that may need a call. */
export async function findAccounts(run: Run): Promise<StoredAccount[]> {
  return run<StoredAccount>(FIND, [])
}

const STORE: Statement = {
  name: 'provider_accounts_store',
  text: `
WITH input AS (
  SELECT *
  FROM json_to_recordset($1) AS input (
    name text, adapter text, mode text, country text, currency text, "baseUrl" text, state text
  )
), stored AS (
  INSERT INTO provider_accounts AS stored
    (name, adapter, mode, country, currency, base_url, state, created_at)
  SELECT name, adapter, mode, country, currency, "baseUrl", state, now()
  FROM input
  ORDER BY name
  ON CONFLICT (name) DO UPDATE SET state = excluded.state
  WHERE stored.state <> excluded.state
)
SELECT name FROM input`,
}

const STORE_LIMITS: Statement = {
  name: 'provider_call_limits_store',
  text: `
INSERT INTO provider_call_limits (account, call, tokens, refilled_at)
SELECT account, call, 0, now()
FROM json_array_elements_text($1) AS account
CROSS JOIN (VALUES ('send'), ('query')) AS calls (call)
ORDER BY account, call
ON CONFLICT DO NOTHING
RETURNING account`,
}

/** Stores new accounts, and the state of all. The other columns of a stored account never change. */
export async function storeAccounts(run: Run, accounts: readonly ProviderAccount[]): Promise<void> {
  const rows = accounts.map(({ name, adapter, mode, country, currency, baseUrl, state }) => ({
    name,
    adapter,
    mode,
    country,
    currency,
    baseUrl,
    state,
  }))
  await run(STORE, [JSON.stringify(rows)])
  await run(STORE_LIMITS, [JSON.stringify(accounts.map(({ name }) => name))])
}
