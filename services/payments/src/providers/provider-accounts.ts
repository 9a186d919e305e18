import { readFile } from 'node:fs/promises'
import { HTTP_PROBLEMS, Problem } from '@malipo/kit/http/problem'
import { Database } from '@malipo/kit/postgres/database'
import { LOG, type Logger } from '@malipo/kit/telemetry/logger'
import type { RunResult } from '@malipo/kit/worker/worker'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Gauge, Registry } from 'prom-client'
import { type Choice, chooseAccount, type NewPayment } from './account-choice.js'
import { illegalEdits } from './account-edits.js'
import { registerAccountInfo } from './account-info.js'
import { findAccounts, storeAccounts } from './accounts.store.js'
import type { ProviderAccount, ProvidersFile } from './accounts.js'
import type { Fault } from './fields.js'
import { faultText, parseProviders } from './providers-file.js'
import { ADAPTERS, adapterNamed } from './registry.js'

/** Where the accounts come from. */
export interface ProvidersSource {
  readonly mode: 'sandbox' | 'live'
  /** PROVIDERS_FILE; undefined if payments are only manual. */
  readonly path: string | undefined
  /** Its content at the start. */
  readonly text: string
  readonly file: ProvidersFile
}

/** The injection token of the source. */
export const PROVIDERS_SOURCE = Symbol('providers source')

const INTERVAL_MS = 2_000

/**
 * The accounts that the service uses. An edited PROVIDERS_FILE replaces them if it is valid and legal; otherwise the
 * previous ones stay in use, which is logged once and shown by a metric. A replica that starts with an illegal file, or
 * without one, stops: it lacks an account whose attempts are open, or would query them elsewhere.
 */
@Injectable()
export class ProviderAccounts {
  private current: ProvidersFile
  private isStored = false
  /** The last content that was accepted or rejected. */
  private seen: string
  private readonly rejected: Gauge
  private readonly listeners: ((accounts: readonly ProviderAccount[]) => void)[] = []

  constructor(
    @Inject(PROVIDERS_SOURCE) private readonly source: ProvidersSource,
    @Inject(Database) private readonly database: Database,
    @Inject(LOG) private readonly log: Logger,
    @Inject(Registry) registry: Registry,
    @Inject(Workers) workers: Workers,
  ) {
    this.current = source.file
    this.seen = source.text
    this.rejected = new Gauge({
      name: 'provider_accounts_rejected',
      help: '1 while PROVIDERS_FILE is invalid or has an illegal edit, and the previous accounts are in use',
      registers: [registry],
    })
    registerAccountInfo(registry, () => this.all)
    workers.add({ name: 'provider_accounts', intervalMs: INTERVAL_MS, run: () => this.poll() })
  }

  /** Calls `listener` with the accounts whenever they are in use for the first time or have changed. */
  onChange(listener: (accounts: readonly ProviderAccount[]) => void): void {
    this.listeners.push(listener)
  }

  get all(): readonly ProviderAccount[] {
    return this.isStored ? this.current.accounts : []
  }

  find(name: string): ProviderAccount | undefined {
    return this.all.find((account) => account.name === name)
  }

  get file(): ProvidersFile {
    return this.current
  }

  /**
   * The account of a new payment.
   *
   * @throws Problem 503 until the accounts are stored
   */
  choose(payment: NewPayment): Choice {
    const choice = chooseAccount(this.current, payment, this.source.mode, adapterNamed)
    if (choice.kind !== 'account' || this.isStored) return choice
    throw new Problem(HTTP_PROBLEMS.unavailable, 'The provider accounts are not loaded yet.', {
      retryAfterSeconds: 2,
    })
  }

  private async poll(): Promise<RunResult> {
    const { path, mode } = this.source
    if (!this.isStored) return this.start()
    if (path === undefined) return 'done'
    const text = await readFile(path, 'utf8')
    if (text === this.seen) return undefined
    const parsed = parseProviders(text, mode, ADAPTERS)
    const faults = 'faults' in parsed ? parsed.faults : await this.store(parsed.value)
    // After an outage of the database, the same content is tried again.
    this.seen = text
    if (faults.length > 0) return this.reject(faults)
    this.log.info({ accounts: this.names() }, 'provider accounts loaded')
    this.rejected.set(0)
    return undefined
  }

  private async start(): Promise<RunResult> {
    const faults = await this.store(this.current)
    if (faults.length === 0) return undefined
    const message = 'stopping: PROVIDERS_FILE lacks or changes an account that is in use'
    this.log.fatal({ faults: faults.map(faultText) }, message)
    // After a signal, Nest sets the exit code to 0.
    process.once('exit', () => (process.exitCode = 1))
    process.kill(process.pid, 'SIGTERM')
    return 'done'
  }

  /** Stores the accounts, and uses them from then on; @returns the faults that prevent that */
  private async store(file: ProvidersFile): Promise<readonly Fault[]> {
    const faults = await this.database.write(async (run) => {
      const illegal = illegalEdits(await findAccounts(run), file.accounts)
      if (illegal.length === 0) await storeAccounts(run, file.accounts)
      return illegal
    })
    if (faults.length > 0) return faults
    this.current = file
    this.isStored = true
    for (const listener of this.listeners) listener(file.accounts)
    return []
  }

  private reject(faults: readonly Fault[]): void {
    this.rejected.set(1)
    const message = 'PROVIDERS_FILE is rejected: the previous accounts stay in use'
    this.log.error({ faults: faults.map(faultText) }, message)
  }

  private names(): string[] {
    return this.current.accounts.map(({ name, state }) => `${name} (${state})`)
  }
}
