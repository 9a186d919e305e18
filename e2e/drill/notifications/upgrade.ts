import { eventually, run } from '../../cluster.ts'
import { EARLIER } from '../earlier-release.ts'
import { send } from '../http.ts'
import { waitUntilStable } from '../install.ts'
import { Charges, sql } from '../providers/charges.ts'
import { PER_SECOND, COUNT } from '../providers/settings.ts'
import { namespace, RELEASE, SERVICES } from '../release.ts'
import { type Endpoint, Merchants } from './merchants.ts'
import { figuresOf, type Row } from './report.ts'

/**
 * An upgrade from the release before notifications, a rollback to it and another upgrade, with 1,000 deliveries in every
 * state. Also the payments that the earlier release changes are notified, after the second upgrade.
 */

const IN_STATE = 1_000
const STATES = ['pending', 'delivered', 'failed', 'cancelled']
const STATES_WITHIN_MS = 180_000
const ROLLBACK_TIMEOUT_MS = 300_000
/** Manual payments that the earlier release creates and changes. */
const COUNT_EARLIER = 100
/** The number of tries after which the next one is the last. */
const LAST_BUT_ONE = 9

const MANUAL_PAYMENT = {
  amount: 5_000,
  currency: 'UGX',
  paymentMethod: 'MOBILE_MONEY',
  customerPhone: '+256772123456',
  customerEmail: 'customer@example.com',
}

/** @param upgrade installs this release */
export async function upgradeAndRollBack(upgrade: () => Promise<void>): Promise<Row> {
  await upgrade()
  const charges = new Charges('notification-upgrade')
  await charges.driver.prepare()
  const merchants = new Merchants(charges, 'notification-upgrade')
  await merchants.create(['accepts', 'neverAccepts', 'neverAccepts', 'rejects'])
  await charges.driver.run(COUNT, PER_SECOND)
  await charges.untilSettled()
  await reachEveryState(merchants)
  const before = await terminal(merchants.endpoints)
  const from = Date.now()
  await rollBack()
  await createManual(charges)
  await upgrade()
  const faultMs = Date.now() - from
  await charges.untilSettled()
  await merchants.untilSettled()
  await assertUnchanged(before, merchants.endpoints)
  const evidence = await merchants.verified()
  const title = `upgrade from ${EARLIER}, rollback and upgrade again`
  return { title, faultMs, ...figuresOf(evidence) }
}

/** The second of two endpoints that accept nothing is deleted; the tries of the one that rejects end. */
async function reachEveryState(merchants: Merchants): Promise<void> {
  const { endpoints } = merchants
  for (let nth = 0; ; nth++) {
    const second = endpoints.filter((each) => each.nth === nth && each.name === 'neverAccepts')[1]
    if (!second) break
    await merchants.delete(second)
  }
  const rejecting = endpoints.filter(({ name }) => name === 'rejects')
  await eventually(
    'deliveries in every state',
    async () => {
      await sql(`
        UPDATE delivery_work SET tries = ${LAST_BUT_ONE}, due_at = now()
        WHERE lease_id IS NULL AND endpoint_id IN (${idsOf(rejecting)})`)
      await assertStates(endpoints)
    },
    { limitMs: STATES_WITHIN_MS, everyMs: 2_000 },
  )
}

async function assertStates(endpoints: readonly Endpoint[]) {
  const lines = await sql(`
    SELECT state || ' ' || count(*) FROM deliveries
    WHERE endpoint_id IN (${idsOf(endpoints)}) GROUP BY state`)
  const counts = new Map(lines.map((line) => line.split(' ') as [string, string]))
  const missing = STATES.filter((state) => Number(counts.get(state) ?? 0) < IN_STATE)
  if (missing.length > 0)
    throw new Error(`too few are ${missing.join(' or ')}: ${lines.join(', ')}`)
}

/** Deliveries that have ended, with everything that is stored of them. */
async function terminal(endpoints: readonly Endpoint[]): Promise<ReadonlySet<string>> {
  const lines = await sql(`
    SELECT row_to_json(deliveries)::text FROM deliveries
    WHERE state <> 'pending' AND endpoint_id IN (${idsOf(endpoints)})`)
  return new Set(lines)
}

async function assertUnchanged(before: ReadonlySet<string>, endpoints: readonly Endpoint[]) {
  const after = await terminal(endpoints)
  const changed = [...before].filter((line) => !after.has(line))
  if (changed.length > 0) {
    throw new Error(`${changed.length} ended deliveries changed, such as ${changed[0]}`)
  }
}

/** The merchants' endpoints exist, although the earlier release does not know them. */
async function createManual({ driver }: Charges) {
  for (let nth = 0; nth < COUNT_EARLIER; nth++) {
    const headers = { authorization: driver.authorization(nth) }
    const path = '/api/payments'
    const created = await send({ method: 'POST', path, headers, body: MANUAL_PAYMENT })
    const { reference } = created.body as { reference?: string }
    const body = { status: 'PENDING' }
    const change = { method: 'POST', path: `${path}/${reference}/status`, headers, body } as const
    const changed = await send(change)
    if (created.status !== 201 || changed.status >= 300) {
      throw new Error(`${created.status}, then ${changed.status} ${JSON.stringify(changed.body)}`)
    }
  }
}

async function rollBack() {
  const timeoutMs = ROLLBACK_TIMEOUT_MS
  await run('helm', ['rollback', RELEASE, '1', `--namespace=${namespace.name}`], { timeoutMs })
  for (const service of SERVICES) {
    const rollout = ['rollout', 'status', `deployment/${RELEASE}-${service}`, '--timeout=240s']
    await namespace.kubectl(rollout, { timeoutMs })
  }
  await waitUntilStable()
}

function idsOf(endpoints: readonly Endpoint[]): string {
  return endpoints.map(({ id }) => `'${id}'`).join(', ')
}
