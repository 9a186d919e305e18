import type { Run, Statement } from '@malipo/kit/postgres/database'
import { ACTION_COLUMNS, actionValues, insertActions } from './action-insert.js'
import type { OperatorAction } from './operator-action.js'

const RECORD: Statement = {
  name: 'operator_action_insert',
  text: `
WITH input AS (
  SELECT * FROM json_to_recordset($1) AS input (nth integer, ${ACTION_COLUMNS})
)${insertActions({ from: 'input' })}`,
  batched: { evenIfAborted: true },
}

/** Records an action that changes nothing. */
export async function recordAction(run: Run, action: OperatorAction): Promise<void> {
  await run(RECORD, [actionValues(action)])
}

const FIND: Statement = {
  name: 'operator_action_find',
  text: `
SELECT details
FROM operator_actions
WHERE id = $1`,
}

/** The details of an action that an earlier attempt of the same request has recorded. */
export async function findAction<Details extends object>(
  run: Run,
  id: string,
): Promise<Details | undefined> {
  const [found] = await run<{ details: Details }>(FIND, [id])
  return found?.details
}
