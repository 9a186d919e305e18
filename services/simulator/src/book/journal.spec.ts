import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Timeline } from '../timeline/timeline.js'
import { Book, stateOf } from './book.js'
import { Journal, JournalError } from './journal.js'
import type { BookRecord } from './records.js'

const newPath = () => join(mkdtempSync(join(tmpdir(), 'malipo-journal-')), 'book.jsonl')

const TIMELINE: Timeline = {
  answer: { kind: 'accepted', afterMs: 0 },
  queryMs: 0,
  steps: [
    { atMs: 0, type: 'visible' },
    { atMs: 1, type: 'outcome', outcome: { status: 'paid', amount: '5' } },
  ],
}
const charge = (nth: number, timeline = TIMELINE): BookRecord => ({
  kind: 'charge',
  nth,
  charge: {
    provider: 'standard',
    account: 'bank',
    reference: `reference ${nth}`,
    amount: '5',
    currency: 'UGX',
    phone: '256772123456',
    details: {},
    personality: 'approve',
    acceptedAt: 0,
    timeline,
  },
})
const step = (nth: number): BookRecord => ({
  kind: 'step',
  key: `standard:reference ${nth}`,
  at: 1,
  type: 'visible',
})

function open(path: string, maxCharges = 10, maxNewLines = 1_000) {
  const book = new Book(maxCharges)
  return { book, journal: new Journal(path, [book], maxNewLines) }
}
const finish = (journal: Journal, nth: number) => {
  journal.append(step(nth))
  journal.append(step(nth))
}

describe('the journal', () => {
  it('restores charges, their steps, callbacks, repetitions and rejections', () => {
    const path = newPath()
    const { book, journal } = open(path)
    for (const record of [charge(1), charge(2), step(1)]) journal.append(record)
    const key = 'standard:reference 1'
    journal.append({ kind: 'callback', key, at: 5, result: 200 })
    journal.append({ kind: 'repeat', key, at: 6 })
    for (const at of [7, 8]) journal.append({ kind: 'rejection', key: 'standard:a:b', at })
    journal.close()
    const restored = open(path).book
    expect([...restored.all()]).toEqual([...book.all()])
    expect(restored.find('standard', 'reference 1')).toMatchObject({
      stepsAt: [1],
      callbacks: [{ at: 5, result: 200 }],
      repeatsAt: [6],
    })
    expect(restored.rejections('standard', 'a:b')).toBe(2)
    expect([...restored.rejectedRequests()]).toEqual([
      { provider: 'standard', reference: 'a:b', times: [7, 8] },
    ])
    expect(restored.nextNth).toBe(3)
  })

  it('drops a last line that was not written completely, and appends after it', () => {
    const path = newPath()
    const first = open(path).journal
    first.append(charge(1))
    first.close()
    appendFileSync(path, '{"kind":"charge","nth":2,"prov')
    const second = open(path)
    expect(second.book.size).toBe(1)
    second.journal.append(charge(3))
    second.journal.close()
    expect(open(path).book.size).toBe(2)
  })

  it('rejects a damaged line before the last one', () => {
    const path = newPath()
    writeFileSync(path, `not JSON\n${JSON.stringify(charge(1))}\n`)
    expect(() => open(path)).toThrow(new JournalError(`${path}: line 1 is not JSON`))
  })

  it('rewrites the file without removed charges after a number of lines', () => {
    const path = newPath()
    const { journal } = open(path, 1, 6)
    for (const nth of [1, 2, 3]) {
      journal.append(charge(nth))
      finish(journal, nth)
    }
    journal.close()
    const lines = readFileSync(path, 'utf8').trim().split('\n')
    // The seventh line caused it: what follows are the two steps of the last charge.
    expect(lines).toHaveLength(3)
    expect(lines.every((line) => line.includes('reference 3'))).toBe(true)
  })
})

describe('a file that can not be rewritten', () => {
  it('continues', () => {
    const path = newPath()
    const { journal } = open(path, 10, 1)
    // A folder of this name prevents the new file, as a full disk does.
    mkdirSync(`${path}.new`)
    for (const nth of [1, 2, 3]) journal.append(charge(nth))
    rmdirSync(`${path}.new`)
    journal.append(charge(4))
    journal.close()
    expect(open(path).book.size).toBe(4)
  })
})

describe('a full book', () => {
  it('removes the charge that finished first', () => {
    const { book, journal } = open(newPath(), 2)
    for (const nth of [1, 2]) journal.append(charge(nth))
    finish(journal, 2)
    expect(book.isFull).toBe(false)
    journal.append(charge(3))
    expect([...book.all()].map(({ nth }) => nth)).toEqual([1, 3])
  })

  it('is full while no charge has finished', () => {
    const { book, journal } = open(newPath(), 2)
    for (const nth of [1, 2]) journal.append(charge(nth))
    expect(book.isFull).toBe(true)
    finish(journal, 1)
    expect(book.isFull).toBe(false)
    expect(stateOf(book.find('standard', 'reference 1')!).outcome.status).toBe('paid')
  })

  it('counts a charge without steps as finished', () => {
    const { book, journal } = open(newPath(), 1)
    journal.append(charge(1, { ...TIMELINE, steps: [] }))
    expect(book.isFull).toBe(false)
  })
})
