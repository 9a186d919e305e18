import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from './auth.js'
import { type Payments, startPayments } from './payments.js'
import { as, type As, newPayment, paymentInput } from './requests.js'

let payments: Payments
let user: As
/** One time before each of the three payments, and one after the last. */
const times: string[] = []
const made: { reference: string; createdAt: string }[] = []

beforeAll(async () => {
  payments = await startPayments()
  user = as(await newUser(), payments)
  for (const changes of [
    { currency: 'UGX', paymentMethod: 'MOBILE_MONEY', customerPhone: '+256772000001' },
    { currency: 'USD', paymentMethod: 'CARD', customerPhone: '+256772000002' },
    { currency: 'KES', paymentMethod: 'BANK_TRANSFER', customerPhone: '+256772000002' },
  ]) {
    times.push(await untilNextMillisecond())
    made.push((await user.create(changes)).body as (typeof made)[number])
  }
  times.push(await untilNextMillisecond())
  await user.move(made[0]?.reference ?? '', 'PENDING')
})
afterAll(() => payments.close())

/** Returns a time in whole milliseconds. No payment is created in the 3 ms before and after it. */
async function untilNextMillisecond() {
  await sleep(3)
  const now = new Date().toISOString()
  await sleep(3)
  return now
}

const found = async (query: string) => {
  const { status, body } = await user.list(query)
  expect(status).toBe(200)
  return (body.data as { reference: string }[]).map(({ reference }) =>
    made.findIndex((one) => one.reference === reference),
  )
}

describe('GET /api/payments', () => {
  it('lists the caller’s own payments, newest first', async () => {
    expect(await found('')).toEqual([2, 1, 0])
    const other = as(await newUser(), payments)
    expect((await other.list()).body).toEqual({ data: [], nextCursor: null })
  })

  it('returns each payment as GET does', async () => {
    const { body } = await user.list('?limit=1')
    const { reference } = body.data[0]
    expect(body.data[0]).toEqual((await user.get(reference as string)).body)
  })

  it.each<[string, (n: string[]) => string, number[]]>([
    ['status', () => 'status=PENDING', [0]],
    ['another status', () => 'status=INITIATED', [2, 1]],
    ['a status without payments', () => 'status=FAILED', []],
    ['currency', () => 'currency=USD', [1]],
    ['paymentMethod', () => 'paymentMethod=BANK_TRANSFER', [2]],
    ['customerPhone', () => 'customerPhone=%2B256772000002', [2, 1]],
    ['customerPhone with a plus sign', () => 'customerPhone=+256772000002', [2, 1]],
    ['customerPhone in national form', () => 'customerPhone=0772000001', [0]],
    ['createdFrom', ([, one]) => `createdFrom=${one}`, [2, 1]],
    ['createdTo', ([, , two]) => `createdTo=${two}`, [1, 0]],
    ['both times', ([, one, two]) => `createdFrom=${one}&createdTo=${two}`, [1]],
    ['a time from before 1970', () => 'createdFrom=1912-06-23T00:00:00Z', [2, 1, 0]],
    [
      'a time in another zone',
      ([, one]) => `createdFrom=${encodeURIComponent(`${one?.slice(0, -1)}+00:00`)}`,
      [2, 1],
    ],
    [
      'a time in a zone with a plus sign',
      ([, one]) => `createdFrom=${one?.slice(0, -1)}+00:00`,
      [2, 1],
    ],
    ['times that exclude each other', ([, one, two]) => `createdFrom=${two}&createdTo=${one}`, []],
    ['several filters', () => 'customerPhone=0772000002&currency=KES&status=INITIATED', [2]],
  ])('filters by %s', async (_, query, expected) => {
    expect(await found(`?${query(times)}`)).toEqual(expected)
  })

  it('returns and finds a payment whose currency was withdrawn after its creation', async () => {
    const owner = as(await newUser(), payments)
    const { body } = await owner.create({ currency: 'EUR', amount: '12.34' })
    await payments.sql(`UPDATE payments SET currency = 'BGN' WHERE id = $1`, body.id)
    const withdrawn = { reference: body.reference as string, currency: 'BGN', amount: '12.34' }
    expect((await owner.get(withdrawn.reference)).body).toMatchObject(withdrawn)
    expect((await owner.list('?currency=BGN')).body.data).toMatchObject([withdrawn])
    expect((await owner.move(withdrawn.reference, 'PENDING')).body).toMatchObject(withdrawn)
  })

  it('includes createdFrom and excludes createdTo, to the millisecond', async () => {
    const at = made[1]?.createdAt ?? ''
    expect(await found(`?createdFrom=${at}`)).toEqual([2, 1])
    expect(await found(`?createdTo=${at}`)).toEqual([0])
  })

  it.each([
    'status=DONE',
    'status=PENDING&status=FAILED',
    'currency=ugx',
    'paymentMethod=CASH',
    'customerPhone=12',
    'createdFrom=yesterday',
    'createdFrom=2026-02-30T00:00:00Z',
    'createdFrom=2026-W05',
    'createdFrom=2026-001',
    'createdFrom=2026-01-31',
    'createdFrom=2026-01-31T12:00:00',
    'createdTo=2026-01-31T12:00:00,5Z',
    'createdTo=',
    'limit=0',
    'limit=101',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=',
    'limit=1&limit=2',
    'cursor=',
    'cursor=x',
    'cursor=PAY-019aa0a0-0000-7000-8000-000000000000',
    'page=2',
    'ownerId=1',
    'status[$ne]=FAILED',
  ])('rejects ?%s with 400', async (query) => {
    const { status, body } = await user.list(`?${query}`)
    expect(status).toBe(400)
    expect(body.errors).toHaveLength(1)
    expect(query).toContain(body.errors[0].field)
  })
})

describe('paging by cursor', () => {
  it('returns every payment once, in order, while others are created', async () => {
    const walker = as(await newUser(), payments)
    const references: string[] = []
    for (let n = 0; n < 23; n++) references.unshift(await newPayment(walker))
    const seen: string[] = []
    let cursor = ''
    const sizes: number[] = []
    do {
      const { body } = await walker.list(`?limit=5${cursor}`)
      seen.push(...body.data.map((one: { reference: string }) => one.reference))
      sizes.push(body.data.length as number)
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`
      await newPayment(walker)
    } while (cursor)
    expect(seen).toEqual(references)
    expect(sizes).toEqual([5, 5, 5, 5, 3])
  })

  it('ends without an empty page if the last page is full', async () => {
    const walker = as(await newUser(), payments)
    for (let n = 0; n < 4; n++) await newPayment(walker)
    const first = await walker.list('?limit=2')
    expect(first.body.nextCursor).toMatch(/^[\w-]{22}$/)
    const second = await walker.list(`?limit=2&cursor=${first.body.nextCursor}`)
    expect(second.body).toMatchObject({ nextCursor: null })
    expect(second.body.data).toHaveLength(2)
  })

  it('returns 20 per page by default and 100 at most', async () => {
    const walker = as(await newUser(), payments)
    await Promise.all(Array.from({ length: 101 }, () => walker.create(paymentInput())))
    expect((await walker.list()).body.data).toHaveLength(20)
    const { body } = await walker.list('?limit=100')
    expect(body.data).toHaveLength(100)
    expect(body.nextCursor).not.toBeNull()
  })

  it('keeps its filters and its owner', async () => {
    const walker = as(await newUser(), payments)
    for (let n = 0; n < 3; n++) {
      await newPayment(walker)
      await newPayment(walker, 'PENDING')
    }
    const first = await walker.list('?limit=2&status=PENDING')
    const rest = await walker.list(`?limit=2&status=PENDING&cursor=${first.body.nextCursor}`)
    const all = [...first.body.data, ...rest.body.data] as { status: string }[]
    expect(all.map(({ status }) => status)).toEqual(['PENDING', 'PENDING', 'PENDING'])
    const stranger = as(await newUser(), payments)
    const theirs = await stranger.list(`?cursor=${first.body.nextCursor}`)
    expect(theirs.body.data).toEqual([])
  })
})
