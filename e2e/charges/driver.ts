import { setTimeout as sleep } from 'node:timers/promises'
import * as client from '../drill/client.ts'
import { asksToRetry, type HttpRequest, type HttpResponse, send } from '../drill/http.ts'
import type { Draw } from './draw.ts'
import { type PlannedPayment, plannedPayment, type Shares } from './payment-plan.ts'

/** Creates payments as merchants do: each again, with the same key and at another replica, until it is answered. */

export interface Target {
  readonly label: string
  readonly origin: URL
}

/** Where the requests go. */
export interface Targets {
  readonly auth: readonly Target[]
  readonly payments: readonly Target[]
  /** Whether a proxy answers, which has no problem in JSON, while it has no replica. */
  readonly areBehindProxy?: boolean
}

/** How a payment was created. */
export interface Created {
  readonly planned: PlannedPayment
  /** When the first request was sent (ms since the epoch). */
  readonly at: number
  requests: number
  /** Undefined if no request was answered. */
  reference?: string
  answeredAt?: number
}

export const MERCHANTS = 4
/** More payments that are being created at once only wait for one another. */
const MAX_IN_FLIGHT = 80
const RESPONSE_LIMIT_MS = 6_000
const RETRY_MS = 500
const GIVE_UP_MS = 120_000

export class Driver {
  readonly created: Created[] = []
  /** Responses that no client should get. */
  readonly unexpected: string[] = []
  isDone = false
  private readonly targets: Targets
  private readonly draw: Draw
  private readonly shares: Shares
  private readonly work = new Set<Promise<void>>()
  private tokens: readonly string[] = []
  private inFlight = 0

  constructor(targets: Targets, draw: Draw, shares: Shares) {
    this.targets = targets
    this.draw = draw
    this.shares = shares
  }

  /** Registers the merchants. */
  async prepare(): Promise<void> {
    const [auth] = this.targets.auth
    const tokens: string[] = []
    for (let n = 0; n < MERCHANTS; n++) {
      const account = client.newAccount()
      for (const { request, expectedStatus } of [client.register(account), client.login(account)]) {
        const answer = await send(request, auth?.origin)
        if (answer.status !== expectedStatus) throw new Error(JSON.stringify(answer))
        if (expectedStatus === 200) tokens.push(client.tokenIn(answer.body))
      }
    }
    this.tokens = tokens
  }

  /** Creates `count` payments, at most `perSecond`; resolves when each was answered or given up. */
  async run(count: number, perSecond: number): Promise<void> {
    const since = Date.now()
    for (let n = 0; n < count; n++) {
      await sleep(Math.max(0, since + (n * 1_000) / perSecond - Date.now()))
      while (this.inFlight >= MAX_IN_FLIGHT) await sleep(20)
      this.begin(() => this.create(n))
    }
    while (this.work.size > 0) await Promise.all(this.work)
    this.isDone = true
  }

  private begin(work: () => Promise<void>) {
    const running: Promise<void> = work().finally(() => this.work.delete(running))
    this.work.add(running)
  }

  private async create(n: number): Promise<void> {
    const planned = plannedPayment(this.draw, this.shares, n)
    const created: Created = { planned, at: Date.now(), requests: 0 }
    this.created.push(created)
    const headers = { authorization: this.authorization(n), 'idempotency-key': planned.key }
    const request = { method: 'POST', path: '/api/payments', headers, body: planned.body } as const
    this.inFlight++
    const answer = await this.repeated(created, request, n)
    this.inFlight--
    const { reference } = (answer?.body ?? {}) as { reference?: string }
    created.reference = reference
    created.answeredAt = Date.now()
    if (reference !== undefined && planned.readAfterMs !== undefined) {
      await sleep(planned.readAfterMs)
      await this.read(n, reference)
    }
  }

  /** Sends a request to one replica after the other until it is answered with 201; undefined if it never is. */
  private async repeated(
    created: Created,
    request: HttpRequest,
    n: number,
  ): Promise<HttpResponse | undefined> {
    const { abandonedAfterMs } = created.planned
    while (Date.now() < created.at + GIVE_UP_MS) {
      const isAbandoned = created.requests === 0 && abandonedAfterMs !== undefined
      const limitMs = isAbandoned ? abandonedAfterMs : RESPONSE_LIMIT_MS
      const replica = this.replicaOf(n + created.requests++)
      const answer = await send(request, replica.origin, limitMs)
      if (answer.status === 201) return answer
      if (!this.isOutage(answer) && !asksToRetry(answer)) {
        this.unexpected.push(`${replica.label}: ${answer.status} ${JSON.stringify(answer.body)}`)
      }
      if (!isAbandoned) await sleep(answer.retryAfter ? answer.retryAfter * 1_000 : RETRY_MS)
    }
    return undefined
  }

  private async read(n: number, reference: string): Promise<void> {
    const headers = { authorization: this.authorization(n) }
    const path = `/api/payments/${reference}`
    const { origin, label } = this.replicaOf(n + 1)
    const answer = await send({ method: 'GET', path, headers }, origin, RESPONSE_LIMIT_MS)
    if (answer.status !== 200 && answer.status !== 503 && !this.isOutage(answer)) {
      this.unexpected.push(`${label}: ${answer.status} to a read of ${reference}`)
    }
  }

  /** Of the merchant of the nth payment. */
  authorization(n: number): string {
    return `Bearer ${this.tokens[n % MERCHANTS]}`
  }

  private isOutage({ status, body }: HttpResponse): boolean {
    return status === 0 || (this.targets.areBehindProxy === true && typeof body === 'string')
  }

  private replicaOf(n: number): Target {
    const { payments } = this.targets
    return payments[n % payments.length] as Target
  }
}
