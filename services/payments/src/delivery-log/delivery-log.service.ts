import { Problem } from '@malipo/kit/http/problem'
import { parseTime } from '@malipo/kit/http/time'
import { validationProblem } from '@malipo/kit/http/validation'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { Inject, Injectable } from '@nestjs/common'
import { isUUID } from 'class-validator'
import type { Caller } from '../caller/scopes.js'
import { DeliveriesWorker } from '../deliveries/deliveries.worker.js'
import { MAX_TRIES_BEFORE_RESEND } from '../deliveries/limits.js'
import { eventIdOf } from '../notifications/events.js'
import { PROBLEMS } from '../problems.js'
import { noEndpoint } from '../webhook-endpoints/webhook-endpoints.service.js'
import { type DeliveryDetail, findDelivery } from './delivery-detail.store.js'
import type { ReplayNotificationsDto } from './requests.dto.js'
import type { StoredDelivery } from './delivery.view.js'
import { pingEndpoint } from './ping.store.js'
import { MAX_CANDIDATES, MAX_REPLAYED, replayNotifications } from './replay.store.js'
import { resendDelivery } from './resend.store.js'

const MAX_REPLAY_DAYS = 30
const DAY_MS = 86_400_000

/** Shows merchants their deliveries, and sends notifications on demand. Each write is one statement. */
@Injectable()
export class DeliveryLog {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(DeliveriesWorker) private readonly worker: DeliveriesWorker,
  ) {}

  /** @throws Problem 404 */
  async get({ merchant }: Caller, id: string): Promise<DeliveryDetail> {
    const found = isUUID(id) && (await this.database.read((run) => findDelivery(run, id, merchant)))
    if (!found) throw noDelivery()
    return found
  }

  /**
   * Makes a delivery due at once, in every state.
   *
   * @throws Problem 404, also for a deleted endpoint; 409 if it is disabled, or after too many tries
   */
  async resend(caller: Caller, id: string): Promise<StoredDelivery> {
    if (!isUUID(id)) throw noDelivery()
    const resend = { deliveryId: id, ownerId: caller.merchant, operationId: newUuid() }
    const result = await this.database.write((run) => resendDelivery(run, resend))
    if (result === 'not_found') throw noDelivery()
    if (result === 'not_enabled') throw notEnabled()
    if (result === 'exhausted') throw tooManyTries()
    this.worker.wake()
    return (await this.get(caller, id)).delivery
  }

  /** @throws Problem 404; 409 if the endpoint is disabled */
  async ping({ merchant }: Caller, endpointId: string) {
    if (!isUUID(endpointId)) throw noEndpoint()
    const now = databaseNow()
    const at = new Date(now).toISOString()
    const ids = { notificationId: newUuid(now), deliveryId: newUuid(now) }
    const body = JSON.stringify({
      type: 'ping',
      timestamp: at,
      data: { endpoint: endpointId.toLowerCase() },
    })
    const ping = { ...ids, endpointId, ownerId: merchant, body, at }
    const isSent = await this.database.write((run) => pingEndpoint(run, ping))
    if (isSent === undefined) throw noEndpoint()
    if (!isSent) throw notEnabled()
    this.worker.wake()
    return { event: eventIdOf(ids.notificationId), delivery: ids.deliveryId }
  }

  /** @throws Problem 400 for the times, 404, 409 if the endpoint is disabled, 422 if there are too many */
  async replay({ merchant }: Caller, endpointId: string, body: ReplayNotificationsDto) {
    if (!isUUID(endpointId)) throw noEndpoint()
    const { types, delivered } = body
    const target = { endpointId, ownerId: merchant, operationId: newUuid() }
    const replay = { ...target, ...rangeOf(body), types, delivered }
    const result = await this.database.write((run, retried) =>
      replayNotifications(run, replay, retried),
    )
    if (result === 'not_found') throw noEndpoint()
    if (result === 'not_enabled') throw notEnabled()
    if (result === 'too_many') throw tooManyDeliveries()
    this.worker.wake()
    return { deliveries: result }
  }
}

/** @throws Problem 400 */
function rangeOf(body: Pick<ReplayNotificationsDto, 'from' | 'to'>) {
  const from = parseTime(body.from)
  const to = parseTime(body.to)
  // The DTO has accepted both.
  if (!from || !to) throw new Error('a time is malformed')
  if (from.getTime() < databaseNow() - MAX_REPLAY_DAYS * DAY_MS) {
    const message = `must be at most ${MAX_REPLAY_DAYS} days ago`
    throw validationProblem([{ field: 'from', message }])
  }
  if (to <= from) throw validationProblem([{ field: 'to', message: 'must be after from' }])
  return { from: from.toISOString(), to: to.toISOString() }
}

function noDelivery(): Problem {
  return new Problem(PROBLEMS.noDelivery, 'You have no delivery with this id.')
}

function notEnabled(): Problem {
  const detail = 'Enable the webhook endpoint first: PATCH it with the state enabled.'
  return new Problem(PROBLEMS.endpointNotEnabled, detail)
}

function tooManyTries(): Problem {
  const detail = `A delivery is not resent after ${MAX_TRIES_BEFORE_RESEND} tries. Read the event from GET /api/events.`
  return new Problem(PROBLEMS.tooManyTries, detail)
}

function tooManyDeliveries(): Problem {
  const detail =
    `A replay makes at most ${MAX_REPLAYED} deliveries, of a range with at most ${MAX_CANDIDATES} ` +
    'notifications. Nothing was done: choose a shorter range.'
  return new Problem(PROBLEMS.tooManyDeliveries, detail)
}
