import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AdapterCase, prepare, type Prepared } from './adapter-case.js'
import { answerOf, anyResult, malformedBodies } from './provider-answers.js'
import { describeQueryAnswers } from './query-answers.js'
import { describeRequests } from './requests.js'
import { describeSendAnswers } from './send-answers.js'
import { expectStorable } from './storable.js'

/**
 * The rules that every adapter of a provider follows, as tests. The spec of an adapter calls this function with an
 * account, the tables of its codes, and functions that read its requests and write its answers. The rules R3 to R20
 * come from incidents of other integrations with these providers.
 */
export function describeAdapter<Settings>(given: AdapterCase<Settings>) {
  const prepared = prepare(given)
  describeRequests(prepared)
  describeSendAnswers(prepared)
  describeQueryAnswers(prepared)
  describeGrantsAndCallbacks(prepared)
}

function describeGrantsAndCallbacks<Settings>(given: Prepared<Settings>) {
  const { adapter, context, credentials } = given

  describe(`${adapter.name}: grants`, () => {
    const grants = Object.entries(adapter.grants ?? {})
    it('each needs only grants of the adapter, and none that needs it', () => {
      const needsOf = (name: string): readonly string[] => adapter.grants?.[name]?.needs ?? []
      for (const [name] of grants) {
        let needed = needsOf(name)
        for (let depth = 0; needed.length > 0; depth++) {
          expect(grants.map(([each]) => each)).toEqual(expect.arrayContaining([...needed]))
          expect(depth).toBeLessThan(grants.length)
          needed = needed.flatMap(needsOf)
        }
      }
    })

    it('R14: an answer without a usable value grants nothing', () => {
      fc.assert(
        fc.property(anyResult, (result) => {
          for (const [, grant] of grants) {
            expect(['granted', 'refused', 'unavailable']).toContain(grant.read(result).kind)
          }
        }),
      )
      for (const body of malformedBodies) {
        for (const [, grant] of grants) {
          expect(grant.read(answerOf(200, body)).kind).toBe('unavailable')
        }
      }
    })
  })

  describe(`${adapter.name}: callbacks`, () => {
    it('R3: every body has a reading, and none is signed without a signature', () => {
      const full = { ...context.account, credentials: [credentials] }
      fc.assert(
        fc.property(anyResult, (result) => {
          const body = result.phase === 'answered' ? result.body : new Uint8Array()
          const callback = adapter.readCallback?.({ headers: {}, body }, full)
          expect(callback?.verdict ?? 'unsigned').not.toBe('signed')
          if (callback) expectStorable(callback.reading)
        }),
      )
    })
  })
}
