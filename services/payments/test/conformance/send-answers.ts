import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Prepared } from './adapter-case.js'
import { answerOf, anyResult, malformedBodies } from './provider-answers.js'
import { expectStorable } from './storable.js'

const SEND_KINDS: readonly string[] = ['declined', 'pending', 'not_sent', 'may_have_happened']

/** How an adapter reads the answer to a request for money. */
export function describeSendAnswers<Settings>(given: Prepared<Settings>) {
  const { adapter, initiate, charge } = given

  describe(`${adapter.name}: answers to a request for money`, () => {
    it.each(given.sends)('%s', (_title, result, reading) => {
      expect(initiate.read(result, charge)).toMatchObject(reading)
    })

    it('R16: every answer has one of four meanings', () => {
      fc.assert(
        fc.property(anyResult, (result) => {
          const reading = initiate.read(result, charge)
          expect(SEND_KINDS).toContain(reading.kind)
          expectStorable(reading)
          const isNamed = adapter.capabilities.reference === 'ours' || reading.providerReference
          expect(reading.kind !== 'pending' || isNamed).toBeTruthy()
        }),
        { numRuns: 1000 },
      )
    })

    it('R7: a failure before the first byte is not sent and may be retried', () => {
      expect(initiate.read({ phase: 'connecting' }, charge)).toMatchObject({
        kind: 'not_sent',
        retry: true,
      })
    })

    it('R7: a timeout or a reset after the first byte may have happened', () => {
      expect(initiate.read({ phase: 'sent' }, charge).kind).toBe('may_have_happened')
    })

    it.each([408, 500, 502, 503, 504])(
      'R7: status %i without a readable code may have happened',
      (status) => {
        for (const body of malformedBodies) {
          expect(initiate.read(answerOf(status, body), charge).kind).toBe('may_have_happened')
        }
      },
    )

    it('R16: an unknown code may have happened, and is never a refusal', () => {
      const known = given.sends.map(([, , { providerCode }]) => providerCode)
      const status = fc.constantFrom(...given.codeStatuses)
      fc.assert(
        fc.property(fc.stringMatching(/^[A-Z]{3,6}_?[0-9]{3,9}$/), status, (code, status) => {
          fc.pre(!known.includes(code))
          expect(initiate.read(answerOf(status, given.errorBody(code)), charge)).toMatchObject({
            kind: 'may_have_happened',
            providerCode: code,
            flags: ['unknown_code'],
          })
        }),
      )
    })

    it('a malformed body never declines a charge', () => {
      for (const status of [200, 202, 400, 403, 404, 409]) {
        for (const body of malformedBodies) {
          expect(initiate.read(answerOf(status, body), charge).kind).not.toBe('declined')
        }
      }
    })
  })
}
