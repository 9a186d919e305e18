import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '@malipo/local/process'
import * as client from '../drill/client.ts'
import type { Operation } from '../drill/journal.ts'
import type { Cell } from './cell.ts'
import { expects, Journal } from './journal.ts'
import { type Platform, type Replica, type Side, SIDES } from './platform.ts'
import { type Session, Sessions } from './sessions.ts'

/**
 * Clients of one cell, about 25 requests a second in all: payments from creation to webhook, sessions from login to
 * logout, sessions that stay and refresh, and uses of revoked tokens. Each client repeats a request when the response
 * asks for it.
 */

const LOGGED_OUT = 6
const SESSIONS_PER_USER = 50
const AT_ONCE = 8
/** Clients that refresh their session again and again, by the replica that they use. */
const STAYING = ['A', 'A', 'B'] as const
const PAUSE_MS = 2_000
/** How long clients may take to finish after the load ends, beyond `DB_WAIT_MS`. */
const FINISH_MS = 3_000

/** What begins how often, while the load runs. */
const SCHEDULE = [
  { everyMs: 1_000, side: 'A', flow: 'payment' },
  { everyMs: 2_000, side: 'B', flow: 'payment' },
  { everyMs: 1_000, side: 'A', flow: 'session' },
  { everyMs: 2_000, side: 'B', flow: 'session' },
  { everyMs: 500, side: 'A', flow: 'revoked' },
  { everyMs: 500, side: 'B', flow: 'revoked' },
] as const

export class Clients {
  readonly journal = new Journal()
  readonly sessions: Sessions
  /** The users' ids; the first one owns all payments. */
  readonly users: string[] = []
  private readonly platform: Platform
  private readonly cell: Cell
  private readonly waitMs: number
  private readonly accounts: client.Account[] = []
  private readonly toLogOut: Session[] = []
  private readonly work = new Set<Promise<unknown>>()
  private merchant: Session | undefined
  private readonly stopping = new AbortController()

  private constructor(platform: Platform, cell: Cell, waitMs: number) {
    this.platform = platform
    this.cell = cell
    this.waitMs = waitMs
    this.sessions = new Sessions(this.journal, (service, side) => this.origin(service, side))
  }

  /** Registers users and opens sessions, whose tokens each replica has seen, and starts the load. */
  static async start(platform: Platform, cell: Cell, waitMs: number): Promise<Clients> {
    const clients = new Clients(platform, cell, waitMs)
    const count = cell.loggedOut ?? LOGGED_OUT
    for (let n = 0; n < 1 + count; n += SESSIONS_PER_USER) await clients.register()
    clients.merchant = await clients.known(0)
    await inParallel(count, async (n) => void clients.toLogOut.push(await clients.known(n)))
    clients.load()
    return clients
  }

  /** Logs out the sessions that were opened for it. */
  async logOut(): Promise<void> {
    await inParallel(this.toLogOut.length, async (n) => {
      const session = this.toLogOut[n]
      if (session) await this.sessions.logOut(session, 'B')
    })
  }

  /** Sends every revoked token to payments, and to auth unless a replica of payments is given. */
  async useAllRevoked(fresh?: Replica): Promise<void> {
    const { revoked } = this.sessions
    await inParallel(revoked.length, async (n) => {
      const session = revoked[n]
      if (!session) return
      if (fresh) return this.sessions.useRevoked(session, 'payments', 'B', fresh.origin)
      for (const side of SIDES) {
        await this.sessions.useRevoked(session, 'payments', side)
        await this.sessions.useRevoked(session, 'auth', side)
      }
    })
  }

  /** Ends the load and waits for its last response. */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.journal.deadline = Date.now() + FINISH_MS
    while (this.work.size > 0) await Promise.all(this.work)
  }

  private origin(service: ServiceName, side: Side): URL {
    const other = service === 'auth' && this.cell.withoutAuthA ? 'B' : side
    return this.platform.replica(service, other).origin
  }

  private async register() {
    const account = client.newAccount()
    const { request } = client.register(account)
    const target = { what: 'register', where: 'auth B', side: 'B' } as const
    const call = { ...target, origin: this.origin('auth', 'B') }
    const answer = await this.journal.call({ ...call, request, judge: expects(201) })
    if (!answer) throw new Error('a user can not be registered before the outage')
    this.accounts.push(account)
    this.users.push((answer.body as { id: string }).id)
  }

  /** A session whose token every replica has seen. */
  private async known(n: number): Promise<Session> {
    const session = await this.sessions.logIn(this.account(n), 'B')
    if (!session) throw new Error('a session can not be opened before the outage')
    for (const side of SIDES) await this.sessions.use(session, side)
    return session
  }

  private account(n: number): client.Account {
    const account = this.accounts[Math.floor(n / SESSIONS_PER_USER) % this.accounts.length]
    if (!account) throw new Error('no user is registered')
    return account
  }

  private load() {
    for (const { everyMs, side, flow } of SCHEDULE) {
      this.begin(async () => {
        for (let n = 0; await this.pause(everyMs); n++) this.begin(() => this[flow](side, n))
      })
    }
    for (const side of STAYING) this.begin(() => this.stay(side))
  }

  /** Resolves to false as soon as the load ends. */
  private pause(ms: number): Promise<boolean> {
    return sleep(ms, true, { signal: this.stopping.signal }).catch(() => false)
  }

  private begin(flow: () => Promise<unknown>) {
    const work: Promise<unknown> = flow().finally(() => this.work.delete(work))
    this.work.add(work)
  }

  /** Creates a payment and settles it: by a webhook, or after a second status by the owner. */
  private async payment(side: Side) {
    const token = this.merchant?.token ?? ''
    const created = await this.record(side, client.create(token, randomInt(500, 5_000_000)))
    if (!created) return
    await this.record(side, client.read(token, created))
    const moved = await this.record(side, client.move(token, created))
    if (!moved) return
    const webhook = client.webhook(this.platform.webhookSecret, moved, 'SUCCESS')
    const settled = await this.record(side, webhook)
    if (settled) await this.record(side, client.read(token, settled))
  }

  private async record(side: Side, operation: Operation): Promise<client.Payment | undefined> {
    const { kind, request, expectedStatus } = operation
    const target = { what: kind, where: `payments ${side}`, side }
    const call = {
      ...target,
      origin: this.origin('payments', side),
      judge: expects(expectedStatus),
    }
    const sample = await this.journal.record({ ...call, request }, operation)
    return sample?.body as client.Payment | undefined
  }

  /** Opens a session, uses it everywhere, refreshes it twice with one token, and logs out. */
  private async session(side: Side, n: number) {
    const session = await this.sessions.logIn(this.account(n), side)
    if (!session) return
    await this.sessions.use(session, side)
    await this.sessions.validate(session, side)
    await this.sessions.refreshTwice(session, side)
    await this.sessions.use(session, side === 'A' ? 'B' : 'A')
    await this.sessions.logOut(session, side)
  }

  /** Keeps a session, refreshing it as often as it can. */
  private async stay(side: Side) {
    const session = await this.sessions.logIn(this.account(0), side)
    if (!session) return
    while (await this.pause(PAUSE_MS)) {
      await this.sessions.refresh(session, side)
      await this.sessions.use(session, side)
    }
  }

  /** Uses one of the tokens that were revoked last. */
  private async revoked(side: Side, n: number) {
    const recent = this.sessions.revoked.slice(-2 * LOGGED_OUT)
    const session = recent[n % (recent.length || 1)]
    const service = Math.floor(n / 2) % 4 === 0 ? 'auth' : 'payments'
    if (session) await this.sessions.useRevoked(session, service, side)
  }
}

async function inParallel(count: number, run: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let n = next++; n < count; n = next++) await run(n)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker))
}
