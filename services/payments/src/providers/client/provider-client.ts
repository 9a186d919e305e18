import { randomBytes } from 'node:crypto'
import { ConfigurationError } from '@malipo/kit/config/env'
import type { Logger } from '@malipo/kit/telemetry/logger'
import { Outage } from '@malipo/kit/telemetry/outage'
import { withTimeout } from '@malipo/kit/worker/with-timeout'
import type { Worker } from '@malipo/kit/worker/worker'
import type { Workers } from '@malipo/kit/worker/workers'
import type { ProviderAccount } from '../accounts.js'
import type {
  Adapter,
  CallbackMessage,
  CallContext,
  Charge,
  Credentials,
  HttpRequest,
} from '../adapter.js'
import type { CallbackReading, CallResult, QueryReading, SendReading } from '../reading.js'
import { CredentialFiles } from './credential-files.js'
import { CredentialSets } from './credential-sets.js'
import { type GrantAnswer, type GrantInput, GrantSet, type GrantValues } from './grant-set.js'
import type { GrantFailure } from './held-grant.js'
import type { ProviderMetrics } from './provider-metrics.js'
import { Requests, statusOf } from './requests.js'
import { TlsFiles } from './tls-files.js'
import { queryWithoutAccess, sendWithoutAccess } from './without-access.js'

export type Outcome<Reading> =
  /** `result` is the evidence. It is `connecting` if the call had no grants. */
  | { readonly kind: 'read'; readonly reading: Reading; readonly result: CallResult }
  /** Nothing was written: `mayBegin` returned false, or the client was closed before. */
  | { readonly kind: 'not_begun' }
  /**
   * The provider rejected a grant or a set of credentials, which is replaced. Nothing has happened to the charge, and
   * the same call is to be made again. It takes another token of the account's rate.
   */
  | { readonly kind: 'repeat' }

export type SendOutcome = Outcome<SendReading>
export type QueryOutcome = Outcome<QueryReading>

export interface ClientDependencies {
  readonly log: Logger
  /** One for all clients. */
  readonly metrics: ProviderMetrics
  readonly workers: Workers
  /** The longest pause after failed calls in a row to an account. */
  readonly pauseMaxSeconds: number
  /** Monotonic, ms. */
  readonly now?: () => number
}

/** A call of an adapter, to send or to query. */
interface Call<Reading> {
  readonly name: 'send' | 'query'
  readonly timeoutSeconds: number
  needs(settings: unknown): readonly string[]
  request(charge: Charge, context: CallContext<unknown>): HttpRequest
  read(result: CallResult, charge: Charge): Reading
  withoutAccess(failure: GrantFailure, now: number): Reading
}

const RELOAD_EVERY_MS = 2_000
/** A call takes longer only if its provider does. */
const CLOSE_MS = 5_000

/**
 * Sends what an adapter renders, for one account of PROVIDERS_FILE. It has no other state than connections, grants and
 * the content of the account's files, and repeats nothing by itself. An account that changes gets a new client.
 */
export class ProviderClient {
  private readonly log: Logger
  private readonly metrics: ProviderMetrics
  private readonly requests: Requests
  private readonly tls: TlsFiles
  private readonly files: CredentialFiles
  private readonly sets: CredentialSets
  private readonly access: Outage
  private readonly workers: Workers
  private readonly reloads: Worker
  private readonly now: () => number
  private readonly pauseMaxMs: number
  private closing: Promise<unknown> | undefined

  /** @throws ConfigurationError with a line for each file of the account that can't be used */
  constructor(
    private readonly account: ProviderAccount,
    private readonly adapter: Adapter,
    { log, metrics, workers, pauseMaxSeconds, now = () => performance.now() }: ClientDependencies,
  ) {
    const { name } = account
    this.now = now
    this.pauseMaxMs = pauseMaxSeconds * 1_000
    this.metrics = metrics
    this.log = log.child({ part: 'provider', account: name })
    const lines: string[] = []
    const onFault = (field: string, message: string) =>
      void lines.push(`account ${name}: ${field} ${message}`)
    this.tls = new TlsFiles(account, onFault)
    this.files = new CredentialFiles(account, onFault)
    if (lines.length > 0) throw new ConfigurationError(lines)
    const grants = Object.keys(adapter.grants ?? {}).length
    this.requests = new Requests(account, this.log, metrics, { tls: this.tls.options, grants })
    this.sets = new CredentialSets((set) => this.grantsOf(set), this.log, now)
    this.sets.replace(this.files.sets)
    this.access = new Outage(this.log, 'access to the provider')
    metrics.register(name, grants > 0 ? ['send', 'query', 'grant'] : ['send', 'query'])
    this.workers = workers
    const run = () => this.reload()
    this.reloads = workers.add({ name: 'provider_credentials', intervalMs: RELOAD_EVERY_MS, run })
    this.reloads.start()
  }

  /**
   * Asks the payer for money. It takes at most `initiate.timeoutSeconds`, and before that the timeouts of the grants
   * that it waits for. A rejected promise is a defect of the adapter, after which a charge may exist.
   *
   * @param mayBegin called synchronously right before the first byte is written, when the connection exists, and at
   *   most once; if it returns false, nothing is written
   */
  async send(charge: Charge, mayBegin: () => boolean): Promise<SendOutcome> {
    const { initiate } = this.adapter
    if (!initiate) throw new Error(`the adapter ${this.adapter.name} sends nothing`)
    const call = { ...initiate, name: 'send' as const, withoutAccess: sendWithoutAccess }
    return this.call(call, charge, mayBegin)
  }

  /** Asks for the status of a charge, as `send` does for money. */
  async query(charge: Charge, mayBegin: () => boolean): Promise<QueryOutcome> {
    const { query } = this.adapter
    if (!query) throw new Error(`the adapter ${this.adapter.name} has no queries`)
    const call = { ...query, name: 'query' as const, withoutAccess: queryWithoutAccess }
    return this.call(call, charge, mayBegin)
  }

  /** Reads a callback with the current credentials. */
  readCallback(message: CallbackMessage): CallbackReading {
    const account = { ...this.account, credentials: this.files.sets }
    const reading = this.adapter.readCallback?.(message, account)
    return reading ?? { verdict: 'unsigned', reading: { kind: 'no_news' } }
  }

  /**
   * Ends calls that have not begun, as `not_begun`, and waits up to 5 s for the others. None of these is aborted: one
   * that takes longer ends as it would have.
   */
  async close(): Promise<void> {
    this.closing ??= Promise.all([
      this.workers.remove(this.reloads),
      withTimeout(this.requests.close(), CLOSE_MS),
    ])
    await this.closing
  }

  private async call<Reading extends SendReading | QueryReading>(
    call: Call<Reading>,
    charge: Charge,
    mayBegin: () => boolean,
  ): Promise<Outcome<Reading>> {
    const { name } = this.account
    const outcome = await this.metrics.count(
      { account: name, call: call.name },
      () => this.attempt(call, charge, mayBegin),
      (result) => (result.kind === 'read' ? result.reading.kind : result.kind),
    )
    if (outcome.kind === 'read') this.metrics.recordFlags(name, outcome.reading.flags ?? [])
    return outcome
  }

  private async attempt<Reading extends SendReading | QueryReading>(
    call: Call<Reading>,
    charge: Charge,
    mayBegin: () => boolean,
  ): Promise<Outcome<Reading>> {
    if (this.closing) return { kind: 'not_begun' }
    const access = await this.sets.obtain(call.needs(this.account.settings))
    if (this.closing) return { kind: 'not_begun' }
    if (access.kind !== 'granted') {
      const { providerCode } = access
      this.access.begin(new Error(`a grant is ${access.kind}`), { providerCode })
      const reading = call.withoutAccess(access, this.now())
      return { kind: 'read', reading, result: { phase: 'connecting' } }
    }
    this.access.end()
    const { set, values } = access
    const ended = await this.requests.send(
      () => call.request(charge, this.contextOf(set.credentials, values)),
      { call: call.name, timeoutSeconds: call.timeoutSeconds, mayBegin },
    )
    if (ended.kind === 'not_begun') return ended
    const { result } = ended
    const reading = call.read(result, charge)
    if (this.isRejected(reading, set, values)) return { kind: 'repeat' }
    return { kind: 'read', reading, result }
  }

  /**
   * Whether the provider rejected a grant or the credentials, and there are others. Only a call that did nothing for
   * certain is repeated, whatever its reading says about grants.
   */
  private isRejected(
    { kind, renew, flags = [] }: SendReading | QueryReading,
    set: GrantSet,
    values: GrantValues,
  ): boolean {
    if (kind !== 'not_sent' && kind !== 'no_news') return false
    if (renew !== undefined && set.reject(renew, values)) return true
    return flags.includes('configuration') && this.sets.reject(set)
  }

  private async requestGrant({ name, credentials, values }: GrantInput): Promise<GrantAnswer> {
    const grant = this.adapter.grants?.[name]
    if (!grant) throw new Error(`the adapter has no grant ${name}`)
    const { timeoutSeconds } = grant
    return this.metrics.count(
      { account: this.account.name, call: 'grant' },
      async () => {
        const ended = await this.requests.send(
          () => grant.request(this.contextOf(credentials, values)),
          { call: 'grant', timeoutSeconds, mayBegin: () => true },
        )
        // A closed client sends nothing.
        const isEnded = ended.kind === 'ended'
        const reading = grant.read(isEnded ? ended.result : { phase: 'connecting' })
        return { reading, status: statusOf(ended) }
      },
      ({ reading }) => reading.kind,
    )
  }

  private contextOf(credentials: Credentials, grants: GrantValues): CallContext<unknown> {
    const { account } = this
    return { account, credentials, grants, now: new Date(), random: randomBytes(64) }
  }

  private async reload() {
    const reloads = [this.reloadCredentials(), this.reloadTls()]
    const failed = (await Promise.allSettled(reloads)).find(({ status }) => status === 'rejected')
    this.metrics.setUnreadable(this.account.name, failed !== undefined)
    await Promise.all(reloads)
  }

  private async reloadCredentials() {
    if (!(await this.files.reload())) return
    this.sets.replace(this.files.sets)
    this.log.info({ count: this.files.sets.length }, 'credentials loaded')
  }

  private async reloadTls() {
    if (!(await this.tls.reload())) return
    this.requests.replaceTls(this.tls.options)
    this.log.info('certificates loaded')
  }

  private grantsOf(credentials: Credentials): GrantSet {
    const { grants = {} } = this.adapter
    // An error in the background would end the process.
    const request = (input: GrantInput): Promise<GrantAnswer> =>
      this.requestGrant(input).catch((error: unknown) => {
        this.log.error({ err: error }, 'the answer to a request for a grant could not be read')
        return { reading: { kind: 'unavailable' } }
      })
    const { now, pauseMaxMs } = this
    return new GrantSet(credentials, grants, request, { now, pauseMaxMs })
  }
}
