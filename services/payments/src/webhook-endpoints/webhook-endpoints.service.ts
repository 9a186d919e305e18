import { Problem } from '@malipo/kit/http/problem'
import { validationProblem } from '@malipo/kit/http/validation'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { newUuid } from '@malipo/kit/postgres/uuid-v7'
import { SealRing } from '@malipo/kit/seal/seal-ring'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { timeLeftMs } from '@malipo/kit/telemetry/request-context'
import { Inject, Injectable } from '@nestjs/common'
import { isUUID } from 'class-validator'
import { Registry } from 'prom-client'
import type { Caller } from '../caller/scopes.js'
import { EGRESS_POLICY } from '../egress/egress-client.js'
import { endpointUrlProblem } from '../egress/endpoint-url.js'
import type { EgressPolicy } from '../egress/policy.js'
import { SUBSCRIPTIONS } from '../notifications/events.js'
import { PROBLEMS } from '../problems.js'
import { newSecret } from './endpoint-secrets.js'
import type { StoredEndpoint } from './endpoint.view.js'
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  findEndpoint,
  MAX_ENDPOINTS,
} from './endpoints.store.js'
import { rotateSecret, schemeOf } from './secrets.store.js'
import type { ChangeEndpointDto, CreateEndpointDto } from './webhook-endpoints.dto.js'

const CHANGES = ['created', 'changed', 'rotated', 'deleted'] as const
/** Of a write outside of a request. */
const DEADLINE_MS = 60_000

/** An endpoint and what its merchant gets once: the secret of `v1`; null for `v1a`. */
export interface WithSecret {
  readonly endpoint: StoredEndpoint
  readonly secret: string | null
}

/** The webhook endpoints of merchants. */
@Injectable()
export class WebhookEndpointsService {
  private readonly changes

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(SealRing) private readonly ring: SealRing,
    @Inject(EGRESS_POLICY) private readonly policy: EgressPolicy,
    @Inject(Registry) registry: Registry,
  ) {
    const help =
      'Webhook endpoints that merchants created, changed and deleted, and their rotations'
    const metric = { name: 'webhook_endpoint_changes_total', help, label: 'change' }
    this.changes = countBy(registry, metric, CHANGES)
  }

  /** @throws Problem 400 for the URL, 409 if there are too many, 501 without encryption keys */
  async create({ merchant }: Caller, body: CreateEndpointDto): Promise<WithSecret> {
    this.assertUrl(body.url)
    this.assertKeys()
    const id = newUuid()
    const { sealed, shown } = newSecret(this.ring, id, body.scheme)
    const endpoint = {
      ...writeOf(id, merchant),
      url: body.url,
      events: inOrder(body.events),
      description: body.description ?? null,
      secret: sealed,
    }
    const created = await this.database.write((run) => createEndpoint(run, endpoint))
    if (created === 'full') throw tooManyEndpoints()
    this.changes.created.inc()
    return { endpoint: created, secret: shown }
  }

  /** @throws Problem 404 */
  async get({ merchant }: Caller, id: string): Promise<StoredEndpoint> {
    const found = isUUID(id) && (await this.database.read((run) => findEndpoint(run, id, merchant)))
    if (!found) throw noEndpoint()
    return found
  }

  /**
   * @param versions those that `If-Match` accepts; undefined without a condition
   * @throws Problem 400 for the URL, 404, 412
   */
  async change(
    { merchant }: Caller,
    id: string,
    { url, events, description, state }: ChangeEndpointDto,
    versions: readonly number[] | undefined,
  ): Promise<StoredEndpoint> {
    if (!isUUID(id)) throw noEndpoint()
    if (url !== undefined) this.assertUrl(url)
    const fields = { url, events: events && inOrder(events), description, state }
    const change = { ...writeOf(id, merchant), operationId: newUuid(), versions, fields }
    const changed = await this.database.write((run) => changeEndpoint(run, change))
    if (!changed) throw noEndpoint()
    if (changed === 'changed_meanwhile') throw endpointChanged()
    this.changes.changed.inc()
    return changed
  }

  /** @throws Problem 404 */
  async delete({ merchant }: Caller, id: string): Promise<void> {
    if (!isUUID(id)) throw noEndpoint()
    const deletion = { id, ownerId: merchant, operationId: newUuid() }
    const isDeleted = await this.database.write((run) => deleteEndpoint(run, deletion))
    if (!isDeleted) throw noEndpoint()
    this.changes.deleted.inc()
  }

  /**
   * Replaces a secret, which signs too for the overlap. A rotation during an overlap replaces the newest secret and
   * leaves the oldest its time.
   *
   * @throws Problem 404, 501 without encryption keys
   */
  async rotate({ merchant }: Caller, id: string, overlapSeconds: number): Promise<WithSecret> {
    if (!isUUID(id)) throw noEndpoint()
    const scheme = await this.database.read((run) => schemeOf(run, id, merchant))
    if (!scheme) throw noEndpoint()
    this.assertKeys()
    const { sealed, shown } = newSecret(this.ring, id, scheme)
    const rotation = { ...writeOf(id, merchant), secret: sealed, overlapSeconds }
    const endpoint = await this.database.write((run) => rotateSecret(run, rotation))
    if (!endpoint) throw noEndpoint()
    this.changes.rotated.inc()
    return { endpoint, secret: shown }
  }

  private assertUrl(url: string): void {
    const message = endpointUrlProblem(url, this.policy)
    if (message !== undefined) throw validationProblem([{ field: 'url', message }])
  }

  private assertKeys(): void {
    if (this.ring.isConfigured) return
    const detail = 'The operator of the installation must set WEBHOOK_ENCRYPTION_KEYS_DIR.'
    throw new Problem(PROBLEMS.secretsUnavailable, detail)
  }
}

function writeOf(id: string, ownerId: string) {
  const deadline = new Date(databaseNow() + timeLeftMs(DEADLINE_MS)).toISOString()
  return { id, ownerId, deadline }
}

/** Names of events without duplicates, in the order of the table. */
function inOrder(events: readonly string[]): string[] {
  return SUBSCRIPTIONS.filter((name) => events.includes(name))
}

/** Returns the same 404 whether an endpoint does not exist, was deleted or belongs to another merchant. */
export function noEndpoint(): Problem {
  return new Problem(PROBLEMS.noEndpoint, 'You have no webhook endpoint with this id.')
}

function tooManyEndpoints(): Problem {
  const detail = `A merchant has at most ${MAX_ENDPOINTS} webhook endpoints. Delete one first.`
  return new Problem(PROBLEMS.tooManyEndpoints, detail)
}

function endpointChanged(): Problem {
  const detail = 'Read the webhook endpoint again, and decide on its current state.'
  return new Problem(PROBLEMS.endpointChanged, detail)
}
