import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conditionOf, etagOf, isKnown, knownVersions } from './etag.js'

describe('an ETag', () => {
  it('is the version, and If-Match requires that version', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (version) => {
        expect(etagOf(version)).toBe(`"${version}"`)
        expect(conditionOf(etagOf(version))).toEqual({ versions: [version] })
      }),
    )
  })
})

describe('If-Match', () => {
  it.each<[string, string | undefined, ReturnType<typeof conditionOf>]>([
    ['that is absent asks for nothing', undefined, undefined],
    ['* asks for nothing of a payment that exists', '*', undefined],
    ['with spaces around * is *', ' * ', undefined],
    ['with a list asks for one of them', '"1", "2" ,"3"', { versions: [1, 2, 3] }],
    ['with a weak tag matches nothing', 'W/"1"', { versions: [] }],
    ['with a weak tag in a list leaves the others', 'W/"1", "2"', { versions: [2] }],
    ['with a tag that is not ours matches nothing', '"abc"', { versions: [] }],
    ['with version 0 matches nothing', '"0"', { versions: [] }],
    ['with a zero before matches nothing', '"01"', { versions: [] }],
    ['with a version past any integer matches nothing', '"9999999999"', { versions: [] }],
    ['with an empty tag matches nothing', '""', { versions: [] }],
    ['without quotes is malformed', '1', 'malformed'],
    ['that is empty is malformed', '', 'malformed'],
    ['with one quote is malformed', '"1', 'malformed'],
    ['with a lower-case weak mark is malformed', 'w/"1"', 'malformed'],
    ['with a gap in its list is malformed', '"1",,"2"', 'malformed'],
    ['with * in a list is malformed', '*, "1"', 'malformed'],
    ['with two tags and no comma is malformed', '"1" "2"', 'malformed'],
    ['that is too long is malformed', `"${'1'.repeat(200)}"`, 'malformed'],
  ])('%s', (_, header, condition) => {
    expect(conditionOf(header)).toEqual(condition)
  })
})

describe('If-None-Match', () => {
  it.each<[string, string | undefined, ReturnType<typeof knownVersions>]>([
    ['that is absent names nothing', undefined, undefined],
    ['* names any version', '*', 'any'],
    ['with spaces around * is *', ' * ', 'any'],
    ['with a list names each of them', '"1", "2" ,"3"', [1, 2, 3]],
    ['with a weak tag names its version', 'W/"1", "2"', [1, 2]],
    ['with a tag that is not ours names nothing', '"abc", W/"x"', []],
    ['with a weak tag in a tag names nothing', '"W/1"', []],
    ['without quotes is malformed', '1', 'malformed'],
    ['that is empty is malformed', '', 'malformed'],
    ['with * in a list is malformed', '*, "1"', 'malformed'],
    ['that is too long is malformed', `"${'1'.repeat(200)}"`, 'malformed'],
  ])('%s', (_, header, known) => {
    expect(knownVersions(header)).toEqual(known)
  })

  it('knows its versions only', () => {
    expect([1, 2, 3].map((version) => isKnown(version, [1, 3]))).toEqual([true, false, true])
    expect([isKnown(1, 'any'), isKnown(1, undefined), isKnown(1, [])]).toEqual([true, false, false])
  })
})
