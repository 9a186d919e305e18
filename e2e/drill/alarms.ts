import { randomUUID } from 'node:crypto'
import * as client from './client.ts'
import type { Clients } from './clients.ts'
import { send } from './edge.ts'
import { RELEASE, space } from './release.ts'

/** What somebody must be told of, and what mends it again. */
export interface Alarm {
  readonly what: string
  /** The alert that fires. */
  readonly must: string
  /** Others that are about the same. */
  readonly may?: readonly string[]
  happen(clients: Clients): Promise<unknown>
  mend?(): Promise<unknown>
}

const scale = (deployment: string, replicas: number) =>
  space.kubectl(['scale', `deployment/${RELEASE}-${deployment}`, `--replicas=${replicas}`])

export const redisGone: Alarm = {
  what: 'Redis is gone',
  must: 'RedisDown',
  // A logout in that time can't be told; the first checks without it are slow.
  may: ['RevocationsUntold', 'LatencyBudgetBurn', 'TokenCacheMisses'],
  happen: () => scale('redis', 0),
  mend: () => scale('redis', 1),
}

export const authGone: Alarm = {
  what: 'auth is gone',
  must: 'ServiceDown',
  // Tokens that nobody had asked about are told 503.
  may: ['TokensUnchecked', 'ErrorBudgetBurn', 'LatencyBudgetBurn'],
  happen: () => scale('auth', 0),
  mend: () => scale('auth', 2),
}

export const WEBHOOK_CONFLICT: Alarm = {
  what: 'a provider uses an id for two webhooks',
  must: 'WebhookConflicts',
  may: ['LatencyBudgetBurn'],
  async happen({ account, secret }) {
    const login = await send(client.login(account).call)
    const { access_token: token } = login.body as { access_token: string }
    const id = `wh-${randomUUID()}`
    for (const amount of [1_000, 2_000]) {
      const made = await send(client.create(token, amount).call)
      const news = client.webhook(secret, made.body as client.Payment, 'PENDING', id)
      await send(news.call)
    }
  },
}
