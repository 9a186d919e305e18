import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { runToEnd } from '@malipo/local/process'
import { randomWebhookSecret } from '@malipo/local/secret'

/** The accounts of a sandbox, with one that speaks `standard`, and with limits that the load does not reach. */

const LIMITS = { rate: 500, pollRate: 2_000, maxInFlight: 50 }
const QUERIES_PER_SECOND = 10_000

export interface Accounts {
  /** PROVIDERS_FILE. */
  readonly providersFile: string
  /** ACCOUNTS_FILE of the simulator. */
  readonly simulatorFile: string
  /** WEBHOOK_SECRETS. */
  readonly webhookSecrets: string
}

interface ProviderAccount {
  readonly name: string
  readonly limits: object
}

interface SimulatorAccounts {
  readonly mtnMomo: readonly object[]
  readonly airtelMoney: readonly object[]
}

/** @param callbackOrigin with a host name, because MTN accepts no address */
export async function makeAccounts(
  folder: string,
  simulatorUrl: string,
  callbackOrigin: string,
): Promise<Accounts> {
  const args = ['--folder', folder, '--simulator', simulatorUrl, '--payments', callbackOrigin]
  await runToEnd({ name: 'simulator', script: 'sandbox/make', args, env: {} })
  const [providersFile, simulatorFile] = [`${folder}/providers.yaml`, `${folder}/accounts.json`]
  const apiKey = randomBytes(16).toString('hex')
  const webhookSecret = randomWebhookSecret()
  await writeFile(`${folder}/standard-sim-api-key`, apiKey, { mode: 0o600 })

  const { accounts, ...file } = await readJson<{ accounts: ProviderAccount[] }>(providersFile)
  const ofUganda = accounts.find(({ name }) => name === 'mtn-ug-sim')
  const { phonePrefixes: _, settings: __, ...common } = { ...ofUganda } as Record<string, unknown>
  const standard = {
    ...common,
    name: 'standard-sim',
    adapter: 'standard',
    limits: ofUganda?.limits ?? {},
    credentials: { apiKeyFile: `${folder}/standard-sim-api-key` },
  }
  const raised = [...accounts, standard].map((account) => ({
    ...account,
    limits: { ...account.limits, ...LIMITS },
  }))
  await writeJson(providersFile, { ...file, accounts: raised })

  const { mtnMomo, airtelMoney } = await readJson<SimulatorAccounts>(simulatorFile)
  const callbackHost = new URL(callbackOrigin).host
  const unlimited = (list: readonly object[]) =>
    list.map((account) => ({ ...account, queriesPerSecond: QUERIES_PER_SECOND }))
  await writeJson(simulatorFile, {
    mtnMomo: unlimited(mtnMomo),
    airtelMoney: unlimited(airtelMoney),
    standard: [{ name: 'standard-sim', apiKey, currency: 'UGX', callbackHost, webhookSecret }],
  })
  return { providersFile, simulatorFile, webhookSecrets: `standard-sim=${webhookSecret}` }
}

async function readJson<Content>(path: string): Promise<Content> {
  return JSON.parse(await readFile(path, 'utf8')) as Content
}

async function writeJson(path: string, content: object): Promise<void> {
  await writeFile(path, JSON.stringify(content, null, 2), { mode: 0o600 })
}
