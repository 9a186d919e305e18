import { randomBytes, randomUUID } from 'node:crypto'
import * as client from './client.ts'
import type { Clients } from './clients.ts'
import { send } from './edge.ts'
import { CLUSTERS, clusterOf, primaryOf, psql, RELEASE, space } from './release.ts'

/** What somebody must be told of, and what mends it again. */
export interface Alarm {
  readonly what: string
  /** The alerts that fire. */
  readonly must: readonly string[]
  /** Others that are about the same. */
  readonly may?: readonly string[]
  happen(clients: Clients): Promise<unknown>
  mend?(): Promise<unknown>
}

const scale = (deployment: string, replicas: number) =>
  space.kubectl(['scale', `deployment/${RELEASE}-${deployment}`, `--replicas=${replicas}`])

const redisGone: Alarm = {
  what: 'Redis is gone',
  // The sessions that end in that time can't be told.
  must: ['RedisDown', 'RevocationsPending'],
  // The first checks without it are slow.
  may: ['LatencyBudgetBurn', 'TokenCacheMisses'],
  happen: () => scale('redis', 0),
  mend: () => scale('redis', 1),
}

const authGone: Alarm = {
  what: 'auth is gone',
  must: ['ServiceDown'],
  // Tokens that nobody had asked about are told 503.
  may: ['TokenChecksUnavailable', 'ErrorBudgetBurn', 'LatencyBudgetBurn'],
  happen: () => scale('auth', 0),
  mend: () => scale('auth', 2),
}

/** Stops PostgreSQL in these instances, whose pods go on; none: all run again. */
const fence = (instances: readonly string[]) =>
  space.kubectl([
    'annotate',
    '--overwrite',
    `${CLUSTERS}/${clusterOf('payments')}`,
    `cnpg.io/fencedInstances=${JSON.stringify(instances)}`,
  ])

const standbyGone: Alarm = {
  what: 'a standby of payments’ database has stopped',
  must: ['ReplicaMissing'],
  may: ['TargetDown', 'LatencyBudgetBurn'],
  async happen() {
    const primary = await primaryOf('payments')
    const instances = await space.pods(`cnpg.io/cluster=${clusterOf('payments')}`)
    await fence(instances.filter((name) => name !== primary).slice(0, 1))
  },
  mend: () => fence([]),
}

const databaseGone: Alarm = {
  what: 'payments’ database has stopped, every instance of it',
  must: ['DatabaseUnavailable', 'NoPrimary', 'ErrorBudgetBurn'],
  may: ['ReplicaMissing', 'TargetDown', 'LatencyBudgetBurn', 'PaymentTotalsBehind'],
  happen: () => fence(['*']),
  mend: () => fence([]),
}

const webhookConflict: Alarm = {
  what: 'a provider uses an id for two webhooks',
  must: ['WebhookConflicts'],
  may: ['LatencyBudgetBurn'],
  async happen(clients) {
    const token = await login(clients)
    const id = `wh-${randomUUID()}`
    for (const amount of [1_000, 2_000]) {
      await send(client.webhook(clients.secret, await pay(token, amount), 'PENDING', id).call)
    }
  },
}

const FORGED_EVERY_MS = 250

function webhooksForged(): Alarm {
  let forging: NodeJS.Timeout | undefined
  return {
    what: 'webhooks come that the provider has not signed',
    must: ['WebhooksRejected'],
    may: ['LatencyBudgetBurn'],
    async happen(clients) {
      const secret = `whsec_${randomBytes(24).toString('base64')}`
      const payment = await pay(await login(clients), 1_000)
      const forge = () => send(client.webhook(secret, payment, 'SUCCESS').call)
      forging = setInterval(() => void forge().catch(() => undefined), FORGED_EVERY_MS)
    },
    mend: async () => clearInterval(forging),
  }
}

function providerSilent(): Alarm {
  let end = async () => {}
  return {
    what: 'a payment has been PENDING for two hours',
    must: ['PaymentsStuck'],
    may: ['LatencyBudgetBurn'],
    async happen(clients) {
      const payment = await pay(await login(clients), 1_000)
      await send(client.webhook(clients.secret, payment, 'PENDING').call)
      // Nobody can wait so long.
      const since = `UPDATE payments SET updated_at = updated_at - interval '2 hours'`
      await psql('payments', `${since} WHERE reference = '${payment.reference}'`)
      end = async () => void (await send(client.webhook(clients.secret, payment, 'SUCCESS').call))
    },
    mend: () => end(),
  }
}

/** What must alert, in order. */
export const ALARMS: readonly Alarm[] = [
  redisGone,
  authGone,
  standbyGone,
  databaseGone,
  webhookConflict,
  webhooksForged(),
  providerSilent(),
]

async function login({ account }: Clients): Promise<string> {
  const { body } = await send(client.login(account).call)
  return client.tokenIn(body)
}

async function pay(token: string, amount: number): Promise<client.Payment> {
  return (await send(client.create(token, amount).call)).body as client.Payment
}
