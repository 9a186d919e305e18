import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually, run } from '../../cluster.ts'
import { differences } from '../checker.ts'
import { newClients, type Clients } from '../clients.ts'
import { EARLIER, earlierRelease } from '../earlier-release.ts'
import { send } from '../http.ts'
import { install, type Source, waitUntilStable } from '../install.ts'
import { allAttemptsFailed, firstAttemptFailed } from '../journal.ts'
import { describeFailure } from '../measurement.ts'
import { readRecords } from '../records.ts'
import { namespace, psql, RELEASE, SERVICES } from '../release.ts'
import { Charges } from './charges.ts'
import type { Row } from './report.ts'
import { COUNT } from './settings.ts'
import { installSimulator } from './simulator.ts'

/**
 * An upgrade from the release before to this one, a rollback and another upgrade, while clients create manual payments.
 * Before the rollback, there are attempts in every state.
 */

/** Faster than the accounts allow, so that attempts wait to be sent. */
const CREATED_PER_SECOND = 25
const STATES = ['queued', 'sending', 'accepted', 'in_doubt', 'succeeded', 'declined', 'not_sent']
/** Requests for money are sent for a few seconds after the last payment was created. */
const STATES_WITHIN_MS = 15_000
const ROLLBACK_TIMEOUT_MS = 300_000
/** Of the payments, one in this many is read and changed by the earlier release. */
const CHECKED_EVERY = 25

export async function installEarlier(source: Source) {
  const earlier = await earlierRelease(source)
  try {
    await installSimulator(source)
    const service = { image: { tag: EARLIER } }
    await install(earlier, join(earlier.folder, 'e2e/drill/faults.yaml'), {
      auth: { ...service, database: { instances: 1 } },
      payments: service,
    })
  } finally {
    await rm(earlier.folder, { recursive: true, force: true })
  }
}

/** @param upgrade installs this release */
export async function upgradeAndRollBack(upgrade: () => Promise<void>): Promise<Row> {
  const clients = await newClients()
  await clients.load.start()
  try {
    return await measure(upgrade, clients)
  } finally {
    await clients.load.stop()
  }
}

async function measure(upgrade: () => Promise<void>, clients: Clients): Promise<Row> {
  await upgrade()
  const charges = new Charges('provider-upgrade')
  await charges.driver.prepare()
  await charges.driver.run(COUNT, CREATED_PER_SECOND)
  const states = await eventually('attempts in every state', () => everyState(charges), {
    limitMs: STATES_WITHIN_MS,
  })
  const from = Date.now()
  await rollBack()
  await checkEarlier(charges)
  await upgrade()
  const stableAt = Date.now()
  await charges.untilSettled()
  await clients.load.stop()
  const requests = await verifyClients(clients)
  const figures = await charges.verified({ stableAt })
  const title = `upgrade from ${EARLIER}, rollback and upgrade again; ${requests}`
  return { title, states, faultMs: stableAt - from, ...figures }
}

async function everyState(charges: Charges): Promise<ReadonlyMap<string, number>> {
  const states = await charges.states()
  const missing = STATES.filter((state) => !states.has(state))
  if (missing.length > 0) throw new Error(`no attempt is ${missing.join(' or ')}`)
  return states
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

/** The earlier release shows the payments of this one, and can't change them. */
async function checkEarlier(charges: Charges) {
  const pods = await namespace.list('pod', 'app.kubernetes.io/name=payments')
  const images = pods.map(({ spec }) => String(spec.containers[0].image))
  if (!images.every((image) => image.endsWith(`:${EARLIER}`))) throw new Error(images.join())
  const { driver } = charges
  const stored = new Map((await charges.records()).map((record) => [record.reference, record]))
  for (let n = 0; n < COUNT; n += CHECKED_EVERY) {
    const reference = driver.created[n]?.reference ?? ''
    const expected = stored.get(reference)?.status
    const path = `/api/payments/${reference}`
    const headers = { authorization: driver.authorization(n) }
    const body = { status: expected === 'PENDING' ? 'SUCCESS' : 'PENDING' }
    const change = await send({ method: 'POST', path: `${path}/status`, headers, body })
    const found = await send({ method: 'GET', path, headers })
    const { status } = found.body as { status?: string }
    if (change.status < 400 || found.status !== 200 || status !== expected) {
      throw new Error(
        `${reference}: ${change.status}, then ${found.status} ${status} instead of ${expected}`,
      )
    }
  }
}

/**
 * Compares every response to the clients of manual payments with the databases.
 *
 * @returns how many requests failed at first
 * @throws Error with the differences, and with requests that also failed after a retry
 */
async function verifyClients(clients: Clients): Promise<string> {
  const { entries, sent } = clients.journal
  const failed = entries.filter(firstAttemptFailed)
  const problems = [
    ...failed.filter(allAttemptsFailed).map(describeFailure),
    ...differences(entries, sent, await readRecords(clients.owner(), psql)),
  ]
  if (problems.length > 0) throw new Error(problems.join('\n'))
  for (const entry of failed) console.log(`repeated: ${describeFailure(entry)}`)
  return `${failed.length} of ${entries.length} other requests were repeated`
}
