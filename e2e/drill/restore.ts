import { setTimeout as sleep } from 'node:timers/promises'
import { check, mustPass } from '../checks.ts'
import { run } from '../cluster.ts'
import { login } from './client.ts'
import { type Clients, newClients } from './clients.ts'
import { send } from './http.ts'
import { seconds, updateSection } from './docs-page.ts'
import { install, type Source, waitUntilStable } from './install.ts'
import { verifyRestore } from './verify-restore.ts'
import { measuredOn } from './reliability.ts'
import { psql, SERVICES, namespace } from './release.ts'
import { Runbook, RESTORE_RUNBOOK } from './runbook.ts'

/**
 * Restores both databases to a point in time with the commands of docs/runbooks/restore.md. Payments acknowledged
 * before that time must exist afterwards, later ones must not.
 */

/** How long clients create payments before and after the target time. */
const CLIENTS_MS = 12_000

const store = {
  endpointURL: process.env.BACKUP_ENDPOINT ?? 'http://s3.object-store:9000',
  destinationPath: process.env.BACKUP_PATH ?? `s3://backups/drill-${Date.now()}`,
  key: process.env.BACKUP_KEY ?? 'lab',
  secret: process.env.BACKUP_SECRET ?? 'lab-secret',
}

interface Figures {
  /** From the switch of a WAL segment until it is archived. */
  archivedMs: number
  /** From the loss until the databases are restored, and until clients are served. */
  databaseMs: number
  availableMs: number
  payments: number
}

export async function restoreExercise(source: Source, writes: boolean) {
  if (!(await hasPlugin()))
    return console.log('skipped: restore, since the Barman Cloud plugin is not installed')
  const figures: Figures = { archivedMs: 0, databaseMs: 0, availableMs: 0, payments: 0 }
  await namespace.create()
  await mustPass('installs the platform with backups', () => installBackedUp(source))
  const clients = await newClients()
  const page = new Runbook(source)
  await mustPass('takes a base backup of both databases', () => page.run('back-up'))
  const target = await createPaymentsAround(clients, page)
  await mustPass('archives all WAL', async () => {
    figures.archivedMs = await page.run('archive')
  })
  await restore(page, target, figures)
  await check(
    'acknowledged payments before the target time are restored, later ones are not',
    async () => {
      figures.payments = await verifyRestore(clients, target)
      return `${figures.payments} payments`
    },
  )
  await check('old tokens and sessions are revoked, and a login succeeds', () =>
    checkSessions(clients),
  )
  await check('takes a base backup of the restored databases', () => page.run('back-up'))
  await check('runs every command of the runbook', async () => page.assertAllExecuted())
  if (writes) await updateSection(RESTORE_RUNBOOK, 'restore', await report(figures))
}

export async function hasPlugin(): Promise<boolean> {
  const crds = await run('kubectl', ['get', 'crd', '--output=name'])
  return crds.includes('objectstores.barmancloud.cnpg.io')
}

/** @param values of payments, in addition */
export async function installBackedUp(source: Source, values: object = {}) {
  const { key, secret, endpointURL, destinationPath } = store
  await namespace.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'drill-backups' },
    stringData: { ACCESS_KEY_ID: key, SECRET_ACCESS_KEY: secret },
  })
  const database = { database: { backup: { endpointURL, destinationPath } } }
  await install(source, 'restore.yaml', {
    auth: database,
    payments: { ...database, ...values },
  })
}

/** Creates payments before and after a target time. @returns the target time, ms since the epoch */
async function createPaymentsAround({ load }: Clients, page: Runbook): Promise<number> {
  await load.start()
  await sleep(CLIENTS_MS)
  const target = Math.ceil(Date.now() / 1000) * 1000
  page.variables.TARGET_TIME = targetTimeOf(target)
  await sleep(CLIENTS_MS)
  await load.stop()
  return target
}

/** The target time (ms since the epoch, a whole second) as PostgreSQL reads it. */
export function targetTimeOf(target: number): string {
  return new Date(target).toISOString().replace('T', ' ').replace('.000Z', '+00')
}

async function restore(page: Runbook, target: number, figures: Figures) {
  const began = Date.now()
  await mustPass('stops the services and deletes Clusters and volumes', async () => {
    await page.run('close')
    await page.run('destroy')
  })
  await mustPass(`restores to ${new Date(target).toISOString()}`, async () => {
    await page.run('restore')
    page.variables.SINCE = new Date().toISOString()
    figures.databaseMs = Date.now() - began
  })
  await mustPass('revokes all sessions and starts the services', async () => {
    await page.run('end-sessions')
    await page.run('open')
    await page.run('recover')
    await waitUntilStable()
    figures.availableMs = Date.now() - began
    return `${seconds(figures.availableMs)} after the start`
  })
}

async function checkSessions({ account, journal }: Clients) {
  const before = journal.entries.find(({ operation }) => operation.kind === 'read')
  const old = before && (await send(before.operation.request))
  if (old?.status !== 401) throw new Error(`status ${old?.status} for an old token`)
  const [active] = await psql('auth', 'SELECT count(*) FROM sessions WHERE revoked_at IS NULL')
  // Verifying the payments has logged in once.
  if (active !== '1') throw new Error(`${active} active sessions`)
  const { status } = await send(login(account).request)
  if (status !== 200) throw new Error(`status ${status} for a login`)
}

async function report({ archivedMs, databaseMs, availableMs, payments }: Figures): Promise<string> {
  return `${await measuredOn()} ${SERVICES.length} databases of a few megabytes, restored concurrently.

- Recovery point: after a switch, the WAL segments of both databases were archived within ${seconds(archivedMs)}. The loss
  of all volumes therefore loses at most the last 5 minutes (\`archive_timeout\`) plus this time.
- Recovery time: both databases were restored ${seconds(databaseMs)} after the start of step 2, and clients were served after
  ${seconds(availableMs)}.
- All ${payments} payments acknowledged before the target time were restored, and none created after it.`
}
