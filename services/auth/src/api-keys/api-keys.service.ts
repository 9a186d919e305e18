import { insufficientScope } from '@malipo/kit/http/access'
import { apiKeyHash, apiKeyHint, apiKeyId, newApiKey } from '@malipo/kit/http/api-key'
import { Problem } from '@malipo/kit/http/problem'
import { parseTime } from '@malipo/kit/http/time'
import { validationProblem } from '@malipo/kit/http/validation'
import { databaseNow } from '@malipo/kit/postgres/clock'
import { Database } from '@malipo/kit/postgres/database'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import type { ClientContext } from '../client-context/client-context.js'
import { type Env, ENV } from '../env.js'
import { merchantClosed, PROBLEMS, revocationPending, tokenNotValid } from '../problems.js'
import { pendingRevocationsOf } from '../revocations/outbox.store.js'
import { RevocationPublisher } from '../revocations/revocation-publisher.js'
import { defaultScopes, keyScopes, type Scope } from '../tokens/scopes.js'
import type { ValidatedClaims } from '../tokens/tokens.service.js'
import type { CreateKeyDto, NewKeyDto, RotateKeyDto } from './api-keys.dto.js'
import { keyLifetime, keysOfMerchant, revokeKey } from './api-keys.store.js'
import { expiryOf } from './expiry.js'
import type { KeyRow } from './key-row.js'
import { createKey, MAX_KEYS, type NewSecret, type Refusal, rotateKey } from './new-keys.store.js'
import { RecentLogin } from './recent-login.js'

const CHANGES = ['created', 'rotated', 'revoked'] as const

/** Creates, rotates and revokes the API keys of a user's merchant. Statements on the merchant's row decide races. */
@Injectable()
export class ApiKeysService {
  private readonly changes

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly recentLogin: RecentLogin,
    private readonly publisher: RevocationPublisher,
    @Inject(ENV) private readonly env: Pick<Env, 'MODE'>,
    @Inject(Registry) registry: Registry,
  ) {
    const help = 'API keys that merchants created, rotated and revoked'
    const metric = { name: 'api_key_changes_total', help, label: 'change' }
    this.changes = countBy(registry, metric, CHANGES)
  }

  /** @throws Problem 400, 401 without the password or a recent login, 403 for a scope of others, 409, 429, 503 */
  async create(
    caller: ValidatedClaims,
    body: CreateKeyDto,
    client: ClientContext,
  ): Promise<NewKeyDto> {
    const scopes = this.allowed(body.scopes)
    const expiresAt = this.expiresAt(body.expiresAt, undefined)
    const missing = scopes.filter((scope) => !caller.scope.split(' ').includes(scope))
    if (missing.length > 0) throw lacking(missing)
    const password = body.currentPassword ?? undefined
    const deadline = await this.recentLogin.require(caller, client, password)
    const { key, secret } = this.newSecret(caller, client, { expiresAt, deadline })
    const own = { name: body.name, scopes, defaults: defaultScopes(this.env.MODE) }
    const created = await this.database.write((run) => createKey(run, { ...secret, ...own }))
    if (typeof created === 'string') throw refusal(created, scopes)
    this.changes.created.inc()
    return { ...created, key }
  }

  /**
   * Replaces a key. The replaced one stays valid for the overlap. A rotation during an overlap replaces the newest
   * key and leaves the oldest its time, so that a client that lost the response rotates again.
   *
   * @throws Problem 400, 401 without the password or a recent login, 404, 409, 429, 503
   */
  async rotate(
    caller: ValidatedClaims,
    target: string,
    body: RotateKeyDto,
    client: ClientContext,
  ): Promise<NewKeyDto> {
    const { sub: merchantId } = caller
    const found = await this.database.read((run) => keyLifetime(run, target, merchantId))
    if (!found) throw noKey()
    if (found.isEnded) throw keyEnded()
    const expiresAt = this.expiresAt(body.expiresAt, found.lifetimeMs)
    const password = body.currentPassword ?? undefined
    const deadline = await this.recentLogin.require(caller, client, password)
    const { key, secret } = this.newSecret(caller, client, { expiresAt, deadline })
    const { overlapSeconds } = body
    const rotation = { ...secret, target, overlapSeconds }
    const created = await this.database.write((run) => rotateKey(run, rotation))
    if (typeof created === 'string') throw refusal(created, [])
    this.changes.rotated.inc()
    // The response has the secret, so it does not fail without Redis: the relay publishes what fails.
    await this.publishPending(merchantId)
    return { ...created, key }
  }

  /** Usable keys, then those that ended recently; newest first. */
  async list({ sub }: ValidatedClaims): Promise<KeyRow[]> {
    return this.database.read((run) => keysOfMerchant(run, sub))
  }

  /**
   * Resolves when every replica of every service rejects the key.
   * @throws Problem 404; 503 while Redis is unavailable, although the key is already revoked
   */
  async revoke({ sub }: ValidatedClaims, id: string): Promise<void> {
    const target = { id, merchantId: sub, actor: sub }
    const revoked = await this.database.write((run) => revokeKey(run, target))
    if (!revoked) throw noKey()
    const { isNew, ...row } = revoked
    if (isNew) this.changes.revoked.inc()
    if (!(await this.publisher.publish([row]))) throw revocationPending()
  }

  private async publishPending(merchantId: string): Promise<void> {
    const pending = await this.database.read((run) => pendingRevocationsOf(run, merchantId))
    await this.publisher.publish(pending)
  }

  private newSecret(
    { sub, sid }: ValidatedClaims,
    { origin }: ClientContext,
    times: Pick<NewSecret, 'expiresAt' | 'deadline'>,
  ): { key: string; secret: NewSecret } {
    const key = newApiKey(this.env.MODE)
    const hash = apiKeyHash(key)
    const names = { id: apiKeyId(hash), hash, hint: apiKeyHint(key) }
    return { key, secret: { ...names, sub, sid, ...times, origin } }
  }

  /** The scopes in the order of the table `SCOPES`, without duplicates. @throws Problem 400 */
  private allowed(requested: readonly string[]): Scope[] {
    const allowed = keyScopes(this.env.MODE)
    const scopes = allowed.filter((scope) => requested.includes(scope))
    if (scopes.length === new Set(requested).size) return scopes
    const message = `must contain only ${allowed.join(', ')}`
    throw validationProblem([{ field: 'scopes', message }])
  }

  private expiresAt(requested: string | null | undefined, lifetimeMs: number | null | undefined) {
    const clock = { mode: this.env.MODE, now: databaseNow() }
    const expiry = expiryOf(parseTime(requested), lifetimeMs, clock)
    if ('expiresAt' in expiry) return expiry.expiresAt?.toISOString() ?? null
    throw validationProblem([{ field: 'expiresAt', message: expiry.message }])
  }
}

/** A key has only scopes that its creator has. */
function lacking(scopes: readonly Scope[]): Problem {
  return insufficientScope(PROBLEMS.insufficientScope, scopes)
}

function refusal(reason: Refusal, scopes: readonly Scope[]): Problem {
  if (reason === 'no_session') return tokenNotValid()
  if (reason === 'closed') return merchantClosed()
  if (reason === 'scopes') return lacking(scopes)
  if (reason === 'no_key') return keyEnded()
  const detail = `A merchant has at most ${MAX_KEYS} keys. Revoke one that is not needed.`
  return new Problem(PROBLEMS.tooManyKeys, detail)
}

function noKey(): Problem {
  return new Problem(PROBLEMS.keyNotFound, 'You have no API key with this id.')
}

function keyEnded(): Problem {
  return new Problem(PROBLEMS.keyEnded, 'The API key was revoked or has expired. Create another.')
}
