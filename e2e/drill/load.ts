import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as client from './client.ts'
import type { Account, Payment } from './client.ts'
import type { Journal, Operation } from './journal.ts'

/**
 * Load with a fixed arrival rate, independent of responses (an open model). Clients create payments, read them and move
 * them to PENDING; signed webhooks complete them. Some keys and webhooks are sent again. In addition one client writes
 * serially: the longest time between two of its responses is the longest interruption of writes.
 */

const PER_SECOND = Number(process.env.DRILL_RATE ?? 10)
/** Above this number of requests in flight, operations are not sent and count as failed. */
const MAX_IN_FLIGHT = 600
const LOGIN_EVERY_MS = 15_000
const WRITER_PAUSE_MS = 150
const REPEAT_EVERY = 13
/** Only recent operations are repeated: a signature is valid for five minutes, a token for fifteen. */
const MAX_REPEATABLE = 200

const CYCLE = ['create', 'read', 'move', 'create', 'read', 'webhook'] as const

export class Load {
  private readonly initiated: Payment[] = []
  private readonly pending: Payment[] = []
  private readonly known = new Map<string, Payment>()
  private readonly references: string[] = []
  private readonly repeatable: Operation[] = []
  private token = ''
  private inFlight = 0
  private isStopping = false
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
    this.running = Promise.all([
      this.sendAtFixedRate(),
      this.logInPeriodically(),
      this.writeSerially(),
    ])
  }

  /** Stops and waits for the last response. */
  async stop() {
    this.isStopping = true
    await this.running
    while (this.inFlight > 0) await sleep(20)
  }

  private async sendAtFixedRate() {
    const began = performance.now()
    for (let n = 0; !this.isStopping; n++) {
      await sleep(Math.max(0, began + (n * 1000) / PER_SECOND - performance.now()))
      const operation = this.next(n)
      if (this.inFlight >= MAX_IN_FLIGHT) this.journal.recordDropped(operation)
      else void this.send(operation)
    }
  }

  /** The next operation of the cycle, or a new payment if no payment is in the needed status. */
  private next(n: number): Operation {
    if (n % REPEAT_EVERY === REPEAT_EVERY - 1) {
      const again = this.repeatable[randomInt(Math.max(1, this.repeatable.length))]
      if (again) return again
    }
    const kind = CYCLE[n % CYCLE.length]
    if (kind === 'move') {
      const payment = this.initiated.shift()
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

  private async send(operation: Operation) {
    this.inFlight++
    try {
      const response = await this.journal.record(operation)
      if (response) this.remember(operation, response.body as Payment)
    } finally {
      this.inFlight--
    }
  }

  private remember(operation: Operation, payment: Payment) {
    const known = this.known.get(payment.reference)
    if (!known) this.references.push(payment.reference)
    if (known && known.version >= payment.version) return
    this.known.set(payment.reference, payment)
    if (operation.kind === 'create') this.initiated.push(payment)
    if (operation.kind === 'move') this.pending.push(payment)
    if (operation.kind === 'create' || operation.kind === 'webhook') this.repeatable.push(operation)
    if (this.repeatable.length > MAX_REPEATABLE) this.repeatable.shift()
  }

  private async logInPeriodically() {
    for (let since = 0; !this.isStopping; since += 500) {
      await sleep(500)
      if (since % LOGIN_EVERY_MS === 0) await this.login()
    }
  }

  private async login() {
    const response = await this.journal.record(client.login(this.account))
    if (response) this.token = client.tokenIn(response.body)
  }

  /** Creates one payment after another. */
  private async writeSerially() {
    while (!this.isStopping) {
      await this.send({ ...client.create(this.token, 1_000), isSerialWriter: true })
      await sleep(WRITER_PAUSE_MS)
    }
  }
}
