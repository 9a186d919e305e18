import { setTimeout as sleep } from 'node:timers/promises'
import { MERCHANTS } from '../../charges/driver.ts'
import { type Behaviour, BEHAVIOURS } from '../../notifications/behaviours.ts'
import {
  countWaiting,
  readDeliveries,
  readEndpoints,
  readEvents,
} from '../../notifications/records.ts'
import { type CheckedEndpoint, type Evidence, RULES } from '../../notifications/verdict.ts'
import { send } from '../http.ts'
import { type Charges, sql } from '../providers/charges.ts'
import { type AnswerName, readTries, urlOf } from './receiver.ts'

/** The endpoints of a row's merchants: each merchant has one of each kind. */

const PATH = '/api/webhook-endpoints'
const POLL_MS = 2_000
/** The longest pause of a circuit, and the second and third try of an event, all scaled. */
const END_LIMIT_MS = 240_000
/** Problems of a rule that are printed. */
const EXAMPLES = 20

const BEHAVIOUR_OF: Readonly<Record<AnswerName, Behaviour>> = {
  accepts: BEHAVIOURS['answers 200'],
  failsFirst: BEHAVIOURS['answers 500 for a while'],
  neverAccepts: BEHAVIOURS['never answers'],
  rejects: BEHAVIOURS['never answers'],
}

export interface Endpoint {
  readonly id: string
  readonly key: string
  readonly name: AnswerName
  readonly secret: string
  /** Its merchant. */
  readonly nth: number
  deletedAt?: number
}

export class Merchants {
  readonly endpoints: Endpoint[] = []
  private readonly charges: Charges
  private readonly row: string

  constructor(charges: Charges, row: string) {
    this.charges = charges
    this.row = `${row}-${Date.now()}`
  }

  async create(names: readonly AnswerName[]): Promise<void> {
    for (let nth = 0; nth < MERCHANTS; nth++) {
      for (const [index, name] of names.entries()) await this.createOne(name, nth, index)
    }
  }

  async delete(endpoint: Endpoint): Promise<void> {
    const { status } = await this.request('DELETE', `${PATH}/${endpoint.id}`, endpoint.nth)
    if (status !== 204) throw new Error(`the deletion returned ${status}`)
    endpoint.deletedAt = Date.now()
  }

  /** Waits until every delivery has ended that can, for a limited time. */
  async untilSettled(): Promise<void> {
    const withheld = this.endpoints.filter(({ name }) => BEHAVIOUR_OF[name].accepts === 'never')
    // Endpoints of earlier rows have work that waits.
    const own = new Set(this.endpoints.map(({ id }) => id))
    const earlier = (await readEndpoints(sql)).filter(({ id }) => !own.has(id))
    const ids = [...withheld, ...earlier].map(({ id }) => id)
    for (const end = Date.now() + END_LIMIT_MS; Date.now() < end; await sleep(POLL_MS)) {
      if ((await countWaiting(sql, ids)) === 0) return
    }
  }

  /** @throws Error with the rules that do not hold */
  async verified(): Promise<Evidence> {
    const evidence = await this.evidence()
    const problems = RULES.flatMap((rule) => {
      const found = rule.problems(evidence)
      return found.length === 0
        ? []
        : [`${rule.title}: ${found.length} problems`, ...found.slice(0, EXAMPLES)]
    })
    if (problems.length > 0) throw new Error(problems.join('\n'))
    return evidence
  }

  private async createOne(name: AnswerName, nth: number, index: number) {
    const key = `${this.row}-${nth}-${index}`
    const body = { url: urlOf(name, key), events: BEHAVIOUR_OF[name].events }
    const answer = await this.request('POST', PATH, nth, body)
    if (answer.status !== 201) throw new Error(JSON.stringify(answer))
    const { id, secret } = answer.body as { id: string; secret: string }
    this.endpoints.push({ id, key, name, secret, nth })
  }

  private request(method: 'POST' | 'DELETE', path: string, nth: number, body?: unknown) {
    const headers = { authorization: this.charges.driver.authorization(nth) }
    return send({ method, path, headers, body })
  }

  private async evidence(): Promise<Evidence> {
    const tries = await readTries(new Map(this.endpoints.map(({ key, secret }) => [key, secret])))
    const stored = new Map((await readEndpoints(sql)).map((each) => [each.id, each]))
    const endpoints = this.endpoints.map(({ id, key, name, deletedAt }): CheckedEndpoint => ({
      id,
      ownerId: stored.get(id)?.ownerId ?? '',
      name: `the endpoint ${key} that ${name}`,
      behaviour: BEHAVIOUR_OF[name],
      tries: tries.get(key) ?? [],
      endedAt: deletedAt,
    }))
    const own = new Set(endpoints.map(({ id }) => id))
    const deliveries = (await readDeliveries(sql)).filter(({ endpointId }) => own.has(endpointId))
    return { events: await readEvents(sql), deliveries, endpoints }
  }
}
