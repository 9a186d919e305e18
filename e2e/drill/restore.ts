import { setTimeout as sleep } from 'node:timers/promises'
import { check, needed } from '../checks.ts'
import { run } from '../cluster.ts'
import { login } from './client.ts'
import { type Clients, newClients } from './clients.ts'
import { send } from './edge.ts'
import { seconds, writeInto } from './page.ts'
import { install, type Source, steady } from './platform.ts'
import { readBack } from './read-back.ts'
import { measuredOn } from './reliability.ts'
import { psql, SERVICES, space } from './release.ts'
import { Page, PAGE } from './runbook.ts'

/**
 * A restore of both databases to a named second, by the commands of docs/runbooks/restore.md as they
 * stand there: what clients saw acknowledged before that second is read back, and none of what came later.
 */

/** How long clients make payments before the second, and after it. */
const CLIENTS_MS = 12_000

const store = {
  endpointURL: process.env.BACKUP_ENDPOINT ?? 'http://s3.object-store:9000',
  destinationPath: process.env.BACKUP_PATH ?? `s3://backups/drill-${Date.now()}`,
  key: process.env.BACKUP_KEY ?? 'lab',
  secret: process.env.BACKUP_SECRET ?? 'lab-secret',
}

interface Figures {
  /** From a segment's end until the store has it. */
  archivedMs: number
  /** From the loss until the databases are there, and until clients are. */
  databaseMs: number
  openMs: number
  payments: number
}

export async function restoreExercise(source: Source, writes: boolean) {
  if (!(await hasPlugin())) return console.log('left out: no Barman Cloud plugin here')
  const figures: Figures = { archivedMs: 0, databaseMs: 0, openMs: 0, payments: 0 }
  await space.create()
  await needed('the platform is installed, with backups', () => installBackedUp(source))
  const clients = await newClients()
  const page = new Page(source)
  await needed('a base backup of both databases', () => page.follow('back-up'))
  const target = await payAround(clients, page)
  await needed('all is archived', async () => {
    figures.archivedMs = await page.follow('archive')
  })
  await restore(page, target, figures)
  await check('what clients saw before that second is there, and nothing later', async () => {
    figures.payments = await readBack(clients, target)
    return `${figures.payments} payments`
  })
  await check('a token and a session of before are over, a login is not', () => sessions(clients))
  await check('the restored databases are backed up anew', () => page.follow('back-up'))
  await check('every command of the page was run', async () => page.leavesNothing())
  if (writes) await writeInto(PAGE, 'restore', await told(figures))
}

async function hasPlugin(): Promise<boolean> {
  const crds = await run('kubectl', ['get', 'crd', '--output=name'])
  return crds.includes('objectstores.barmancloud.cnpg.io')
}

async function installBackedUp(source: Source) {
  const { key, secret, endpointURL, destinationPath } = store
  await space.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'drill-backups' },
    stringData: { ACCESS_KEY_ID: key, SECRET_ACCESS_KEY: secret },
  })
  const database = { database: { backup: { endpointURL, destinationPath } } }
  await install(source, 'restore.yaml', { auth: database, payments: database })
}

/** Has clients make payments around a second, which it gives (ms since the epoch). */
async function payAround({ load }: Clients, page: Page): Promise<number> {
  await load.start()
  await sleep(CLIENTS_MS)
  const target = Math.ceil(Date.now() / 1000) * 1000
  page.variables.TARGET_TIME = new Date(target)
    .toISOString()
    .replace('T', ' ')
    .replace('.000Z', '+00')
  await sleep(CLIENTS_MS)
  await load.stop()
  return target
}

async function restore(page: Page, target: number, figures: Figures) {
  const began = Date.now()
  await needed('the doors are closed, Clusters and volumes are gone', async () => {
    await page.follow('close')
    await page.follow('destroy')
  })
  await needed(`restored to ${new Date(target).toISOString()}`, async () => {
    await page.follow('restore')
    figures.databaseMs = Date.now() - began
  })
  await needed('sessions are ended and the doors open', async () => {
    await page.follow('end-sessions')
    await page.follow('open')
    await steady()
    figures.openMs = Date.now() - began
    return `${seconds(figures.openMs)} after it began`
  })
}

async function sessions({ account, journal }: Clients) {
  const before = journal.entries.find(({ wish }) => wish.kind === 'read')
  const old = before && (await send(before.wish.call))
  if (old?.status !== 401) throw new Error(`an old token is answered ${old?.status}`)
  const [living] = await psql('auth', 'SELECT count(*) FROM sessions WHERE revoked_at IS NULL')
  // Reading back has logged in once.
  if (living !== '1') throw new Error(`${living} sessions live`)
  const { status } = await send(login(account).call)
  if (status !== 200) throw new Error(`a login is answered ${status}`)
}

async function told({ archivedMs, databaseMs, openMs, payments }: Figures): Promise<string> {
  return `${await measuredOn()} Databases of a few megabytes, ${SERVICES.length} at once.

- Recovery point: a closed segment of both was in the store ${seconds(archivedMs)} after it was asked for, so
  what is lost with a volume is at most 5 minutes and that.
- Recovery time: both databases were there ${seconds(databaseMs)} after step 2 began, clients ${seconds(openMs)}.
- All ${payments} payments acknowledged before the named second were read back, and none made after it.`
}
