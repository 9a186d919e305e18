import { expect, it } from 'vitest'
import { BEHAVIOURS, isSubscribed } from './behaviours.ts'
import {
  type CheckedEndpoint,
  duplicates,
  type Evidence,
  LATE_MS,
  type ReceivedTry,
  RULES,
  type StoredDelivery,
} from './verdict.ts'

const payment = { type: 'payment.succeeded', reference: 'PAY-1', version: 3, status: 'SUCCESS' }
const event = { eventId: 'evt_1', ownerId: 'merchant', ...payment }
const received: ReceivedTry = {
  eventId: 'evt_1',
  at: 1_000,
  bodyHash: 'hash',
  isVerified: true,
  status: 200,
  payment,
}
const delivery: StoredDelivery = {
  eventId: 'evt_1',
  endpointId: 'a',
  state: 'delivered',
  bodyHash: 'hash',
}
const endpoint: CheckedEndpoint = {
  id: 'a',
  ownerId: 'merchant',
  name: 'answers 200',
  behaviour: BEHAVIOURS['answers 200'],
  tries: [received],
  endedAt: undefined,
}

/** The titles of the rules that do not hold. */
function violated(changes: {
  endpoint?: Partial<CheckedEndpoint>
  delivery?: Partial<StoredDelivery>
  tries?: Partial<ReceivedTry>[]
  deliveries?: StoredDelivery[]
}): string[] {
  const tries = (changes.tries ?? [{}]).map((own) => ({ ...received, ...own }))
  const evidence: Evidence = {
    events: [event],
    deliveries: changes.deliveries ?? [{ ...delivery, ...changes.delivery }],
    endpoints: [{ ...endpoint, tries, ...changes.endpoint }],
  }
  return RULES.filter((rule) => rule.problems(evidence).length > 0).map(({ title }) => title)
}

const [reached, stored, same, signed, ended, pending] = RULES.map(({ title }) => title)

it('accepts an event that was delivered, also after failed tries', () => {
  expect(violated({})).toEqual([])
  expect(violated({ tries: [{ status: 500 }, { status: undefined }, {}, {}] })).toEqual([])
})

it('finds an event that did not reach an endpoint, and one that was never written', () => {
  expect(violated({ tries: [] })).toEqual([reached])
  expect(violated({ tries: [{ status: 500 }] })).toEqual([reached])
  expect(violated({ tries: [], deliveries: [] })).toEqual([reached])
  expect(violated({ delivery: { state: 'failed' } })).toEqual([reached])
})

it('allows a pending delivery only at an endpoint that withholds 2xx', () => {
  const waiting = { tries: [], delivery: { state: 'pending' } }
  expect(violated(waiting)).toEqual([reached, pending])
  const never = { behaviour: BEHAVIOURS['never answers'] }
  expect(violated({ ...waiting, endpoint: never })).toEqual([])
  expect(violated({ tries: [], deliveries: [], endpoint: never })).toEqual([reached])
  const gone = { behaviour: BEHAVIOURS['answers 410'], endedAt: 500 }
  expect(violated({ ...waiting, endpoint: gone })).toEqual([])
})

it('finds another body, and one of another version or status', () => {
  expect(violated({ tries: [{ bodyHash: 'other' }] })).toEqual([stored])
  expect(violated({ tries: [{ payment: { ...payment, version: 2 } }] })).toEqual([stored])
  expect(violated({ tries: [{ payment: { ...payment, status: 'PENDING' } }] })).toEqual([stored])
  expect(violated({ tries: [{}, { bodyHash: 'other' }] })).toEqual([stored, same])
})

it('finds an event that was not committed', () => {
  expect(violated({ tries: [{}, { eventId: 'evt_2' }] })).toEqual([stored])
})

it('finds a wrong signature', () => {
  expect(violated({ tries: [{ isVerified: false }] })).toEqual([signed])
})

it('finds a try after the end of an endpoint', () => {
  const last = { endedAt: received.at - LATE_MS }
  expect(violated({ endpoint: last })).toEqual([])
  expect(violated({ endpoint: { endedAt: last.endedAt - 1 } })).toEqual([ended])
})

it('counts the tries after a 2xx', () => {
  const tries = [{ status: 500 }, {}, { status: 500 }, {}].map((own) => ({ ...received, ...own }))
  expect(duplicates(tries)).toBe(2)
  expect(duplicates([received, { ...received, eventId: 'evt_2' }])).toBe(0)
})

it('knows what an endpoint is subscribed to', () => {
  expect(isSubscribed(['*'], 'webhook_endpoint.failing')).toBe(true)
  expect(isSubscribed(['payment.*'], 'webhook_endpoint.failing')).toBe(false)
  expect(isSubscribed(['payment.*'], 'payment.failed')).toBe(true)
  expect(isSubscribed(['payment.succeeded'], 'payment.failed')).toBe(false)
})
