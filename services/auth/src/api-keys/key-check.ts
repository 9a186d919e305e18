import { apiKeyHash } from '@malipo/kit/http/api-key'
import { Database, type Statement } from '@malipo/kit/postgres/database'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import { countBy } from '@malipo/kit/telemetry/metrics'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type Env, ENV } from '../env.js'
import { wrongMode } from '../problems.js'
import { effectiveKeyScopes, type Mode } from '../tokens/scopes.js'
import type { KeyPayloadDto } from './api-keys.dto.js'
import { KeyUses } from './key-uses.js'

const OUTCOMES = ['valid', 'unknown', 'ended', 'wrong_mode'] as const

/** `ended` states why a key is not valid; null if it is. */
const KEY_BY_HASH: Statement = {
  name: 'key_by_hash',
  text: `
    SELECT api_keys.id AS sid, merchant_id AS merchant, api_keys.scopes,
           users.scopes AS "merchantScopes",
           floor(extract(epoch FROM expires_at))::text AS exp,
           CASE
             WHEN revoked_at IS NOT NULL THEN coalesce(revocation_cause, 'database')
             WHEN expires_at <= now() THEN 'expired'
             WHEN closed_at IS NOT NULL THEN 'merchant_closed'
           END AS ended
    FROM api_keys
    JOIN merchants ON merchants.id = merchant_id
    JOIN users ON users.id = merchant_id
    WHERE hash = $1`,
}

interface KeyHolder extends Pick<KeyPayloadDto, 'sid' | 'merchant'> {
  readonly scopes: string[]
  readonly merchantScopes: string[] | null
  /** Unix seconds. */
  readonly exp: string | null
  readonly ended: string | null
}

/* At most once per key and hour, since a server may send a revoked key with each request. */
const KEY_REFUSED: Statement = {
  name: 'key_refused',
  text: `
    INSERT INTO audit_events (kind, user_id, detail)
    SELECT 'key_refusal', $2, jsonb_build_object('key', $1::uuid, 'cause', $3::text)
    WHERE NOT EXISTS (
      SELECT FROM audit_events
      WHERE kind = 'key_refusal'
        AND id >= uuidv7(interval '-1 hour')
        AND detail ->> 'key' = $1::text
    )`,
}

/** Validates API keys. */
@Injectable()
export class KeyCheck {
  private readonly checks

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly uses: KeyUses,
    @Inject(ENV) private readonly env: Pick<Env, 'MODE'>,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
  ) {
    const help = `Validations of API keys with a right checksum by outcome: ${OUTCOMES.join(', ')}`
    const metric = { name: 'api_key_checks_total', help, label: 'outcome' }
    this.checks = countBy(registry, metric, OUTCOMES)
  }

  /**
   * The payload of a valid key, with the scopes that its merchant has now; otherwise undefined.
   *
   * @param mode of the installation that issued the key, by its prefix
   * @throws Problem 401 for a key of another mode; 503 while the database is unavailable
   */
  async validate(key: string, mode: Mode): Promise<KeyPayloadDto | undefined> {
    if (mode !== this.env.MODE) {
      this.checks.wrong_mode.inc()
      throw wrongMode()
    }
    const [holder] = await this.database.read((run) =>
      run<KeyHolder>(KEY_BY_HASH, [apiKeyHash(key)]),
    )
    if (!holder || holder.ended !== null) {
      this.checks[holder ? 'ended' : 'unknown'].inc()
      if (holder) void this.recordRefusal(holder)
      return undefined
    }
    this.checks.valid.inc()
    const { sid, merchant, scopes, merchantScopes, exp } = holder
    this.uses.add(sid)
    return {
      kind: 'key',
      sub: merchant,
      merchant,
      sid,
      scope: effectiveKeyScopes(scopes, merchantScopes, mode).join(' '),
      exp: exp === null ? null : Number(exp),
    }
  }

  /** The response does not wait for the event. */
  private async recordRefusal({ sid, merchant, ended }: KeyHolder): Promise<void> {
    try {
      await this.database.write((run) => run(KEY_REFUSED, [sid, merchant, ended]))
    } catch (err) {
      this.log.debug({ err }, 'the refusal of a key is not in the audit trail')
    }
  }
}
