import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as client from './client.ts'
import type { Account, Payment } from './client.ts'
import type { Journal, Wish } from './journal.ts'

/**
 * Clients that come at a fixed rate, whatever became of those before them (an open model: a server that
 * stalls is not spared). They make payments, read them, move them to PENDING, and a provider's signed
 * webhooks finish them; now and then a key or a webhook is sent again. Beside them one client writes
 * without a pause, so that the time between two of its answers is how long writes stood still.
 */

const PER_SECOND = Number(process.env.DRILL_RATE ?? 10)
/** Arrivals are turned away over this many in flight, and count as failed. */
const MOST_IN_FLIGHT = 600
const LOGIN_EVERY_MS = 15_000
const WRITER_PAUSE_MS = 150
const REPEAT_EVERY = 13
/** Only what was sent lately is sent again: a signature is good for five minutes, a token for fifteen. */
const REMEMBERED = 200

const CYCLE = ['create', 'read', 'move', 'create', 'read', 'webhook'] as const

export class Load {
  private readonly fresh: Payment[] = []
  private readonly pending: Payment[] = []
  private readonly known = new Map<string, Payment>()
  private readonly references: string[] = []
  private readonly sent: Wish[] = []
  private token = ''
  private inFlight = 0
  private ends = false
  private running: Promise<unknown> = Promise.resolve()

  private readonly journal: Journal
  private readonly account: Account
  private readonly webhookSecret: string

  constructor(journal: Journal, account: Account, webhookSecret: string) {
    this.journal = journal
    this.account = account
    this.webhookSecret = webhookSecret
  }

  async start() {
    await this.journal.record(client.register(this.account))
    await this.login()
    this.running = Promise.all([this.arrivals(), this.logins(), this.writer()])
  }

  /** Ends when the last answer is there. */
  async stop() {
    this.ends = true
    await this.running
    while (this.inFlight > 0) await sleep(20)
  }

  private async arrivals() {
    const began = performance.now()
    for (let n = 0; !this.ends; n++) {
      await sleep(Math.max(0, began + (n * 1000) / PER_SECOND - performance.now()))
      const wish = this.next(n)
      if (this.inFlight >= MOST_IN_FLIGHT) this.journal.turnAway(wish)
      else void this.send(wish)
    }
  }

  /** The next arrival: what the cycle says, or a new payment where there is none to do it with. */
  private next(n: number): Wish {
    if (n % REPEAT_EVERY === REPEAT_EVERY - 1) {
      const again = this.sent[randomInt(Math.max(1, this.sent.length))]
      if (again) return again
    }
    const kind = CYCLE[n % CYCLE.length]
    if (kind === 'move') {
      const payment = this.fresh.shift()
      if (payment) return client.move(this.token, payment)
    }
    if (kind === 'webhook') {
      const payment = this.pending.shift()
      const status = randomInt(4) === 0 ? 'FAILED' : 'SUCCESS'
      if (payment) return client.webhook(this.webhookSecret, payment, status)
    }
    const read = this.known.get(this.references[randomInt(this.references.length || 1)] ?? '')
    if (kind === 'read' && read) return client.read(this.token, read)
    return client.create(this.token, randomInt(500, 5_000_000))
  }

  private async send(wish: Wish) {
    this.inFlight++
    try {
      const answer = await this.journal.record(wish)
      if (answer) this.learn(wish, answer.body as Payment)
    } finally {
      this.inFlight--
    }
  }

  private learn(wish: Wish, payment: Payment) {
    const known = this.known.get(payment.reference)
    if (!known) this.references.push(payment.reference)
    if (known && known.version >= payment.version) return
    this.known.set(payment.reference, payment)
    if (wish.kind === 'create') this.fresh.push(payment)
    if (wish.kind === 'move') this.pending.push(payment)
    if (wish.kind === 'create' || wish.kind === 'webhook') this.sent.push(wish)
    if (this.sent.length > REMEMBERED) this.sent.shift()
  }

  private async logins() {
    for (let since = 0; !this.ends; since += 500) {
      await sleep(500)
      if (since % LOGIN_EVERY_MS === 0) await this.login()
    }
  }

  private async login() {
    const answer = await this.journal.record(client.login(this.account))
    if (answer) this.token = client.tokenIn(answer.body)
  }

  /** One client that writes, waits for the answer, and writes again. */
  private async writer() {
    while (!this.ends) {
      await this.send({ ...client.create(this.token, 1_000), writer: true })
      await sleep(WRITER_PAUSE_MS)
    }
  }
}
