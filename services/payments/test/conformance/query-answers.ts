import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Prepared } from './adapter-case.js'
import { answerOf, anyResult, jsonOf, malformedBodies } from './provider-answers.js'
import { expectStorable } from './storable.js'

const QUERY_KINDS: readonly string[] = [
  'declined',
  'pending',
  'succeeded',
  'unknown_there',
  'no_news',
]

/** How an adapter reads the answer to a query. */
export function describeQueryAnswers<Settings>(given: Prepared<Settings>) {
  const { adapter, query, charge, statusBody, failedBody, codeStatuses } = given

  describe(`${adapter.name}: answers to a query`, () => {
    it.each(given.queries)('%s', (_title, result, reading) => {
      expect(query.read(result, charge)).toMatchObject(reading)
    })

    it('R16: every answer has one of five meanings', () => {
      fc.assert(
        fc.property(anyResult, (result) => {
          const reading = query.read(result, charge)
          expect(QUERY_KINDS).toContain(reading.kind)
          expectStorable(reading)
        }),
        { numRuns: 1000 },
      )
    })

    it('R7: no answer and a malformed one say nothing, whatever the status', () => {
      expect(query.read({ phase: 'connecting' }, charge).kind).toBe('no_news')
      expect(query.read({ phase: 'sent' }, charge).kind).toBe('no_news')
      for (const status of [200, 202, 301, 400, 404, 408, 500, 502, 503, 504]) {
        for (const body of malformedBodies) {
          expect(query.read(answerOf(status, body), charge).kind).toBe('no_news')
        }
      }
    })

    it('R16: an unknown code without a final status says nothing', () => {
      const status = fc.constantFrom(...codeStatuses)
      fc.assert(
        fc.property(fc.stringMatching(/^X[A-Z]{2,12}_[0-9]{2}$/), status, (code, status) => {
          const reading = query.read(answerOf(status, given.errorBody(code)), charge)
          expect(reading).toMatchObject({ kind: 'no_news', providerCode: code })
        }),
      )
    })

    it.runIf(statusBody)('R16: an unknown status word is pending, never a failure', () => {
      fc.assert(
        fc.property(fc.stringMatching(/^X[A-Z]{2,12}$/), (word) => {
          const reading = query.read(answerOf(200, statusBody?.(word, charge) ?? ''), charge)
          expect(reading).toMatchObject({ kind: 'pending', flags: ['unknown_status'] })
        }),
      )
    })

    it.runIf(failedBody)(
      'R8: an unknown reason beside a final failure is provider_error with the raw code',
      () => {
        fc.assert(
          fc.property(fc.stringMatching(/^X[A-Z]{2,12}_[0-9]{2}$/), (reason) => {
            const reading = query.read(answerOf(200, failedBody?.(reason, charge) ?? ''), charge)
            expect(reading).toMatchObject({
              kind: 'declined',
              failure: 'provider_error',
              providerCode: reason,
            })
          }),
        )
      },
    )

    it('a success has all that the provider must state', () => {
      const paid = given.paidBody(charge)
      expect(query.read(answerOf(200, jsonOf(paid)), charge).kind).toBe('succeeded')
      for (const name of given.requiredOfPaid) {
        for (const value of [undefined, null, '', [], {}, '\0', '9'.repeat(200)]) {
          const body = jsonOf({ ...paid, [name]: value })
          expect(query.read(answerOf(200, body), charge).kind).not.toBe('succeeded')
        }
      }
    })

    it('a success stated by inherited or `__proto__` fields is none', () => {
      const body = `{"__proto__": ${JSON.stringify(given.paidBody(charge))}}`
      expect(query.read(answerOf(200, body), charge).kind).not.toBe('succeeded')
    })

    it('R20: queries are scheduled over a day, then daily for a week', () => {
      const delays = query.scheduleSeconds
      const beforeDaily = delays.slice(0, -7).reduce((sum, delay) => sum + delay, 0)
      expect(delays.slice(-7)).toEqual(Array(7).fill(86_400))
      expect(beforeDaily).toBeGreaterThanOrEqual(86_400)
      expect(beforeDaily).toBeLessThan(86_400 + 3_600)
    })
  })
}
