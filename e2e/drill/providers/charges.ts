import { setTimeout as sleep } from 'node:timers/promises'
import { Book } from '../../charges/book.ts'
import { Draw } from '../../charges/draw.ts'
import { Driver } from '../../charges/driver.ts'
import { historyOf, type PaymentRecord, readRecords, type Sql } from '../../charges/records.ts'
import type { Downtime } from '../../charges/requests.ts'
import { RULES, wrongKeys } from '../../charges/rules.ts'
import { demandOf, faultOf } from '../../charges/verdict.ts'
import { EDGE } from '../http.ts'
import { psql } from '../release.ts'
import { SHARES } from './settings.ts'
import { figuresOf, type Figures, isLostCall, type Times } from './settling.ts'
import { readSimulator } from './simulator.ts'

/** Payments at the simulator, created through the edge and compared with its book. */

const POLL_MS = 2_000
/** A payment that the simulator never received is flagged after 40 s; any other must be settled much earlier. */
const END_LIMIT_MS = 240_000

const targets = [{ label: 'the edge', origin: EDGE }]

export const sql: Sql = (text) => psql('payments', text)

export class Charges {
  readonly book = new Book(readSimulator)
  readonly driver: Driver
  readonly downtimes: Downtime[] = []
  private readonly seed: string

  /** @param row the name of the row; its payments have other keys and payers than those of earlier runs */
  constructor(row: string) {
    this.seed = `${row}-${Date.now()}`
    const edge = { auth: targets, payments: targets, areBehindProxy: true }
    this.driver = new Driver(edge, new Draw(this.seed), SHARES)
  }

  /** The payments of this row. */
  async records(which: 'all' | 'open' = 'all'): Promise<readonly PaymentRecord[]> {
    const prefix = `charge-${this.seed}-`
    const records = await readRecords(sql, which)
    return records.filter(({ key }) => key?.startsWith(prefix))
  }

  /** How many attempts are in each state. */
  async states(): Promise<ReadonlyMap<string, number>> {
    const groups = Map.groupBy(await this.records(), ({ attemptState }) => attemptState)
    return new Map([...groups].map(([state, own]) => [state, own.length]))
  }

  /** Waits until every payment is as the book says, for a limited time. */
  async untilSettled(): Promise<void> {
    for (const end = Date.now() + END_LIMIT_MS; Date.now() < end; await sleep(POLL_MS)) {
      await this.book.update()
      const open = await this.records('open')
      if (open.every((record) => this.isSettled(record))) return
    }
  }

  /** The figures of all payments, once they are settled. @throws Error with the rules that do not hold */
  async verified(times: Times): Promise<Figures> {
    await this.book.update()
    const records = await this.records()
    const problems = [...this.driver.unexpected, ...wrongKeys(this.driver, records)]
    const everything = await readRecords(sql, 'all')
    const { book, downtimes } = this
    for (const rule of RULES) {
      const found = await rule.problems({ sql, book, records: everything, downtimes })
      if (found.length > 0) problems.push(`${rule.title}:`, ...found.slice(0, 40))
    }
    const figures = figuresOf(records, { book, created: this.driver.created, ...times })
    problems.push(...figures.late)
    const isLate = ({ reference }: PaymentRecord) =>
      figures.late.some((text) => text.startsWith(reference))
    for (const record of records.filter((each) => isLostCall(each) || isLate(each))) {
      console.log(await historyOf(sql, record, book))
    }
    if (problems.length > 0) throw new Error(problems.join('\n'))
    return figures
  }

  private isSettled(record: PaymentRecord): boolean {
    const facts = this.book.factsOf(record.adapter, record.attemptReference)
    if (facts.charge && demandOf(facts.charge) === 'open') return false
    return faultOf(record, facts) === undefined
  }
}
