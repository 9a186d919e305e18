import { randomBytes, randomUUID } from 'node:crypto'
import * as client from './client.ts'
import type { Clients } from './clients.ts'
import { send } from './http.ts'
import { CLUSTERS, clusterOf, primaryOf, psql, RELEASE, namespace } from './release.ts'

/** An incident that must fire alerts, and how to cause and resolve it. */
export interface Incident {
  readonly title: string
  /** Alerts that must fire. */
  readonly expectedAlerts: readonly string[]
  /** Related alerts that may also fire. */
  readonly allowedAlerts?: readonly string[]
  cause(clients: Clients): Promise<unknown>
  resolve?(): Promise<unknown>
}

const scale = (deployment: string, replicas: number) =>
  namespace.kubectl(['scale', `deployment/${RELEASE}-${deployment}`, `--replicas=${replicas}`])

const redisDown: Incident = {
  title: 'Redis is down',
  // Revocations during the outage can't be published.
  expectedAlerts: ['RedisDown', 'RevocationsPending'],
  // The first token checks without Redis are slow.
  allowedAlerts: ['LatencyBudgetBurn', 'TokenCacheMisses'],
  cause: () => scale('redis', 0),
  resolve: () => scale('redis', 1),
}

const authDown: Incident = {
  title: 'auth is down',
  expectedAlerts: ['ServiceDown'],
  // Requests with uncached tokens are answered 503.
  allowedAlerts: ['TokenChecksUnavailable', 'ErrorBudgetBurn', 'LatencyBudgetBurn'],
  cause: () => scale('auth', 0),
  resolve: () => scale('auth', 2),
}

/** Fences instances: stops PostgreSQL, but not the pods. An empty list lifts all fences. */
const fence = (instances: readonly string[]) =>
  namespace.kubectl([
    'annotate',
    '--overwrite',
    `${CLUSTERS}/${clusterOf('payments')}`,
    `cnpg.io/fencedInstances=${JSON.stringify(instances)}`,
  ])

const standbyDown: Incident = {
  title: 'a standby of payments’ database is stopped',
  expectedAlerts: ['ReplicaMissing'],
  allowedAlerts: ['TargetDown', 'LatencyBudgetBurn'],
  async cause() {
    const primary = await primaryOf('payments')
    const instances = await namespace.pods(`cnpg.io/cluster=${clusterOf('payments')}`)
    await fence(instances.filter((name) => name !== primary).slice(0, 1))
  },
  resolve: () => fence([]),
}

const databaseDown: Incident = {
  title: 'all instances of payments’ database are stopped',
  expectedAlerts: ['DatabaseUnavailable', 'NoPrimary', 'ErrorBudgetBurn'],
  allowedAlerts: ['ReplicaMissing', 'TargetDown', 'LatencyBudgetBurn', 'PaymentTotalsBehind'],
  cause: () => fence(['*']),
  resolve: () => fence([]),
}

const webhookConflict: Incident = {
  title: 'a provider reuses the id of a webhook',
  expectedAlerts: ['WebhookConflicts'],
  allowedAlerts: ['LatencyBudgetBurn'],
  async cause(clients) {
    const token = await login(clients)
    const id = `wh-${randomUUID()}`
    for (const amount of [1_000, 2_000]) {
      await send(
        client.webhook(clients.webhookSecret, await pay(token, amount), 'PENDING', id).request,
      )
    }
  },
}

const FORGE_INTERVAL_MS = 250

function forgedWebhooks(): Incident {
  let forging: NodeJS.Timeout | undefined
  return {
    title: 'webhooks with invalid signatures arrive',
    expectedAlerts: ['WebhooksRejected'],
    allowedAlerts: ['LatencyBudgetBurn'],
    async cause(clients) {
      const secret = `whsec_${randomBytes(24).toString('base64')}`
      const payment = await pay(await login(clients), 1_000)
      const forge = () => send(client.webhook(secret, payment, 'SUCCESS').request)
      forging = setInterval(() => void forge().catch(() => undefined), FORGE_INTERVAL_MS)
    },
    resolve: async () => clearInterval(forging),
  }
}

function paymentStuck(): Incident {
  let complete = async () => {}
  return {
    title: 'a payment has been PENDING for two hours',
    expectedAlerts: ['PaymentsStuck'],
    allowedAlerts: ['LatencyBudgetBurn'],
    async cause(clients) {
      const payment = await pay(await login(clients), 1_000)
      await send(client.webhook(clients.webhookSecret, payment, 'PENDING').request)
      // Backdates the payment instead of waiting.
      const backdate = `UPDATE payments SET updated_at = updated_at - interval '2 hours'`
      await psql('payments', `${backdate} WHERE reference = '${payment.reference}'`)
      complete = async () =>
        void (await send(client.webhook(clients.webhookSecret, payment, 'SUCCESS').request))
    },
    resolve: () => complete(),
  }
}

/** All incidents, in order. */
export const INCIDENTS: readonly Incident[] = [
  redisDown,
  authDown,
  standbyDown,
  databaseDown,
  webhookConflict,
  forgedWebhooks(),
  paymentStuck(),
]

async function login({ account }: Clients): Promise<string> {
  const { body } = await send(client.login(account).request)
  return client.tokenIn(body)
}

async function pay(token: string, amount: number): Promise<client.Payment> {
  return (await send(client.create(token, amount).request)).body as client.Payment
}
