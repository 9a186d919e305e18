import { setTimeout as sleep } from 'node:timers/promises'
import type { Draw } from '../charges/draw.ts'
import type { Driver } from '../charges/driver.ts'
import { MERCHANTS } from '../charges/driver.ts'
import { check } from '../checks.ts'
import { table } from '../drill/docs-page.ts'
import { send } from '../drill/http.ts'
import { BEHAVIOUR_NAMES, type BehaviourName, BEHAVIOURS } from '../notifications/behaviours.ts'
import { Receiver } from '../notifications/receiver.ts'
import {
  countWaiting,
  readDeliveries,
  readEndpoints,
  readEvents,
} from '../notifications/records.ts'
import {
  type CheckedEndpoint,
  duplicates,
  type Evidence,
  isSuccess,
  RULES,
} from '../notifications/verdict.ts'
import type { Platform } from './platform.ts'
import { DELIVERY_LIMIT_MS, TIME_SCALE } from './settings.ts'

/** Servers of the merchants, each of which answers notifications in its own way. */

const PATH = '/api/webhook-endpoints'
const HOUR_MS = 3_600_000 * TIME_SCALE
const OUTAGE_HOURS = [0.7, 1] as const
const OUTAGE_FROM_MS = [3_000, 8_000] as const
const DELETED_AFTER_MS = [20_000, 40_000] as const
const RETRY_MS = 500
const POLL_MS = 2_000
/** Problems of a rule that are printed. */
const EXAMPLES = 20

interface Endpoint {
  readonly name: BehaviourName
  readonly nth: number
  readonly receiver: Receiver
  readonly id: string
}

export class Notifications {
  private readonly endpoints: Endpoint[] = []
  private readonly platform: Platform
  private readonly driver: Driver
  private readonly draw: Draw
  private deletedAt: number | undefined

  constructor(platform: Platform, driver: Driver, draw: Draw) {
    this.platform = platform
    this.driver = driver
    this.draw = draw
  }

  /** Each merchant has an endpoint that answers 200, and two or three of the others. */
  async prepare(): Promise<void> {
    const [usual, ...others] = BEHAVIOUR_NAMES
    const dealt = this.draw.shuffled(others, 'behaviours')
    for (let nth = 0; nth < MERCHANTS; nth++) {
      const own = dealt.filter((_, index) => index % MERCHANTS === nth)
      for (const name of usual ? [usual, ...own] : own) await this.create(name, nth)
    }
  }

  /** The outage of one endpoint and the deletion of another, while payments are created. */
  async run(): Promise<void> {
    await Promise.all([this.outage(), this.deletion()])
  }

  /** Waits until every delivery has ended that can, for a limited time. */
  async untilSettled(): Promise<void> {
    const withheld = this.endpoints.filter(({ name }) => BEHAVIOURS[name].accepts === 'never')
    const ids = withheld.map(({ id }) => id)
    for (const end = Date.now() + DELIVERY_LIMIT_MS; Date.now() < end; await sleep(POLL_MS)) {
      if ((await countWaiting(this.platform.sql, ids)) === 0) return
    }
  }

  /** Checks all rules; @returns the figures of the endpoints, in Markdown */
  async evaluate(): Promise<string> {
    const evidence = await this.evidence()
    await check('the endpoint that answered 410 is disabled', () => this.assertGone())
    for (const rule of RULES) {
      await check(`notifications: ${rule.title}`, async () => {
        const problems = rule.problems(evidence)
        if (problems.length === 0) return
        const count = `${problems.length} problems`
        throw new Error([count, ...problems.slice(0, EXAMPLES)].join('\n'))
      })
    }
    return figures(evidence)
  }

  async stop(): Promise<void> {
    await Promise.all(this.endpoints.map(({ receiver }) => receiver.stop()))
  }

  private async create(name: BehaviourName, nth: number) {
    const behaviour = BEHAVIOURS[name]
    const receiver = new Receiver(behaviour, this.draw)
    await receiver.start()
    const body = { url: receiver.url, events: behaviour.events }
    const answer = await this.request('POST', PATH, nth, body)
    const { id, secret } = answer.body as { id: string; secret: string }
    if (answer.status !== 201) throw new Error(JSON.stringify(answer))
    receiver.secret = secret
    this.endpoints.push({ name, nth, receiver, id })
  }

  private async outage() {
    const { receiver } = this.endpointOf('is down for simulated hours')
    await sleep(this.draw.between(...OUTAGE_FROM_MS, 'outage from'))
    await receiver.stop()
    await sleep(this.draw.between(...OUTAGE_HOURS, 'outage') * HOUR_MS)
    await receiver.start()
  }

  /** A lost answer is repeated: the second one is 404. */
  private async deletion() {
    const { id, nth } = this.endpointOf('is deleted')
    await sleep(this.draw.between(...DELETED_AFTER_MS, 'deleted after'))
    for (;;) {
      const { status } = await this.request('DELETE', `${PATH}/${id}`, nth)
      if (status === 204 || status === 404) break
      await sleep(RETRY_MS)
    }
    this.deletedAt = Date.now()
  }

  private request(method: 'POST' | 'DELETE', path: string, nth: number, body?: unknown) {
    const headers = { authorization: this.driver.authorization(nth) }
    const [replica] = this.platform.payments
    return send({ method, path, headers, body }, replica?.origin)
  }

  private endpointOf(name: BehaviourName): Endpoint {
    const endpoint = this.endpoints.find((each) => each.name === name)
    if (!endpoint) throw new Error(`no endpoint ${name}`)
    return endpoint
  }

  private async evidence(): Promise<Evidence> {
    const { sql } = this.platform
    const stored = new Map((await readEndpoints(sql)).map((each) => [each.id, each]))
    const endpoints = this.endpoints.map(({ id, name, receiver }): CheckedEndpoint => {
      const { ownerId = '', state, updatedAt } = stored.get(id) ?? {}
      const endedAt = state === 'deleted' ? this.deletedAt : undefined
      const { tries } = receiver
      const disabledAt = state === 'disabled' ? updatedAt : undefined
      return {
        id,
        ownerId,
        name,
        behaviour: BEHAVIOURS[name],
        tries,
        endedAt: endedAt ?? disabledAt,
      }
    })
    return { events: await readEvents(sql), deliveries: await readDeliveries(sql), endpoints }
  }

  private async assertGone() {
    const { id } = this.endpointOf('answers 410')
    const stored = (await readEndpoints(this.platform.sql)).find((each) => each.id === id)
    if (stored?.disabledReason !== 'gone') throw new Error(JSON.stringify(stored))
  }
}

/** How many events, tries, duplicates and pending deliveries the endpoints of each behaviour have. */
function figures({ endpoints, deliveries, events }: Evidence): string {
  const head = ['endpoint', 'events', 'tries', 'accepted', 'duplicates', 'pending']
  const groups = Map.groupBy(endpoints, ({ name }) => name)
  const rows = [...groups].map(([name, own]) => {
    const ids = new Set(own.map(({ id }) => id))
    const written = deliveries.filter(({ endpointId }) => ids.has(endpointId))
    const tries = own.flatMap((each) => each.tries)
    const pending = written.filter(({ state }) => state === 'pending').length
    const repeated = own.reduce((sum, each) => sum + duplicates(each.tries), 0)
    const counts = [written.length, tries.length, tries.filter(isSuccess).length, repeated, pending]
    return [name, ...counts.map(String)]
  })
  const tries = endpoints.reduce((sum, each) => sum + each.tries.length, 0)
  const repeated = endpoints.reduce((sum, each) => sum + duplicates(each.tries), 0)
  return (
    `${events.length} changes of payments were notified in ${tries} tries at ${endpoints.length} endpoints; ` +
    `${repeated} of the tries repeated one that had been answered with 2xx.\n\n${table(head, rows)}`
  )
}
