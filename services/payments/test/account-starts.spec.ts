import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startService } from '@malipo/local/process'
import { Client } from '@malipo/testing/client'
import { query } from '@malipo/testing/database'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { batchOn, createAttempt } from './attempts-database.js'
import { newPaymentsDatabase, runOn } from './payments-database.js'
import { environment, metric } from './payments.js'
import { fileIn, providersFile } from './provider-stage.js'
import { storeAccounts } from '../src/providers/accounts.store.js'
import { MTN_UGANDA } from './provider-account.js'

/** R27: a replica has every account with open attempts, or it does not start. */

const LIMIT_MS = 120_000
const BASE_URL = 'http://127.0.0.1:1'
const LIMITS = { min: 500, max: 5_000_000, rate: 10, pollRate: 10, maxInFlight: 5 }

const FILES = {
  open: (folder: string) => providersFile(folder, BASE_URL),
  draining: (folder: string) => providersFile(folder, BASE_URL, { state: 'draining' }),
  closed: (folder: string) => providersFile(folder, BASE_URL, { state: 'closed' }),
  missing: (folder: string) => {
    const account = {
      name: 'acme',
      adapter: 'standard',
      mode: 'sandbox',
      baseUrl: BASE_URL,
      country: 'UG',
      currency: 'UGX',
      merchants: ['*'],
      limits: LIMITS,
      credentials: { apiKeyFile: fileIn(folder, 'acme-key', 'key') },
    }
    return fileIn(folder, 'providers.yaml', JSON.stringify({ accounts: [account] }))
  },
  none: () => undefined,
} as const

/** Processes may start slowly. */
const soon = (condition: () => unknown) =>
  vi.waitUntil(condition, { timeout: LIMIT_MS / 2, interval: 50 })

/** A database with an open attempt of an account, as a restore may leave it. */
async function storeOpen(state: 'active' | 'closed') {
  const database = await newPaymentsDatabase()
  onTestFinished(() => database.close())
  const client = await database.connection()
  const stored = { ...MTN_UGANDA, mode: 'sandbox', baseUrl: BASE_URL, state } as const
  await storeAccounts(runOn(client), [stored])
  const { attemptId } = await createAttempt(batchOn(client))
  await client.query(`UPDATE attempt_work SET due_at = 'infinity', send_until = 'infinity'`)
  return { url: database.url, attemptId }
}

async function start(databaseUrl: string, file: keyof typeof FILES) {
  const folder = mkdtempSync(join(tmpdir(), 'malipo-starts-'))
  const path = FILES[file](folder)
  const env = environment({
    DATABASE_URL: databaseUrl,
    PROVIDERS_FILE: path,
    LOG_LEVEL: 'info',
    // They would name an account that the file lacks.
    WEBHOOK_SECRETS: '',
  })
  const service = await startService({ name: 'payments', env, ready: false })
  onTestFinished(async () => void (await service.kill()))
  return { folder, service, client: new Client(service.url) }
}

describe('a replica', { timeout: LIMIT_MS }, () => {
  it.each(['closed', 'missing', 'none'] as const)(
    'does not start while an account with open attempts is %s',
    async (file) => {
      const { service } = await start((await storeOpen('active')).url, file)
      expect(await service.exited).toBe(1)
      expect(service.output()).toMatch(/mtn-ug.*stopping: PROVIDERS_FILE lacks or changes/)
    },
  )

  it('starts with a draining account that a restored database has as closed with open attempts', async () => {
    const { url, attemptId } = await storeOpen('closed')
    const { service } = await start(url, 'draining')
    const state = async () =>
      (
        await query<{ state: string }>(
          url,
          `SELECT state FROM payment_attempts WHERE id = '${attemptId}'`,
        )
      )[0]?.state
    // What was not sent ends when its account is drained.
    await soon(async () => (await state()) === 'not_sent')
    expect(await service.stop()).toBe(0)
  })
})

it.each(['closed', 'missing'] as const)(
  'a running replica rejects a file in which an account with open attempts is %s',
  { timeout: LIMIT_MS },
  async (file) => {
    const { url } = await storeOpen('active')
    const { folder, client } = await start(url, 'open')
    const isReady = () => client.get('/health/ready').catch(() => undefined)
    await soon(async () => (await isReady())?.status === 200)
    const info =
      'provider_account_info{account="mtn-ug",adapter="mtn-momo",state="active",callbacks="no"}'
    await soon(async () => (await metric(client, info)) === 1)
    FILES[file](folder)
    await soon(async () => (await metric(client, 'provider_accounts_rejected')) === 1)
    expect(await metric(client, info)).toBe(1)
    const [account] = await query(url, `SELECT state FROM provider_accounts WHERE name = 'mtn-ug'`)
    expect(account).toEqual({ state: 'active' })
    FILES.open(folder)
    await soon(async () => (await metric(client, 'provider_accounts_rejected')) === 0)
  },
)
