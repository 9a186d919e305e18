import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskedPath, secretPath } from './secret-path.js'

const TEMPLATE = '/api/shelves/:shelf/:box/:key'
const PATHS = [secretPath(TEMPLATE, ['box', 'key'])]
const KEY = 'kJ8-s_wQ2mVxYb70aZtR1g'

describe('a path with secret segments', () => {
  it.each([
    `/api/shelves/a/1/${KEY}`,
    `/api/shelves/a/1/${KEY}/`,
    `/api/shelves/a/1/${KEY}/more`,
    `/api/shelves/a/1/${KEY}%zz`,
    `/api/shelves/a/${KEY}`,
    `//api//shelves/a//1/${KEY}`,
    `/prefix/api/shelves/a/1/${KEY}`,
    `/API/Shelves/a/1/${KEY}`,
    `/%61pi/shelves/a/1/${KEY}`,
    `/api/shelves/a%2F1%2f${KEY}`,
    `/api/shelves/a%252F1%252F${KEY}`,
    `/api/shelves/%zz/1/${KEY}`,
    `/api/shelves/a/1/${KEY}${'x'.repeat(200)}`,
  ])('is shown as the template: %s', (path) => {
    expect(maskedPath(path, PATHS)).toBe(TEMPLATE)
  })

  it('is shown as the template with any text around the key', () => {
    const text = fc.string({ unit: 'binary-ascii' })
    const segment = fc.webSegment().filter((characters) => characters !== '')
    fc.assert(
      fc.property(text, segment, segment, text, (...parts) => {
        const [before, shelf, box, after] = parts
        const path = `/${before}/api/shelves/${shelf}/${box}/${KEY}${after}`
        expect(maskedPath(path, PATHS)).toBe(TEMPLATE)
      }),
    )
  })
})

it.each(['/', '/api/shelves', '/api/shelves/a', '/api/shelves/a/', '/api/boxes/a/1/2', '/%zz%2F'])(
  'another path is shown as it is: %s',
  (path) => {
    expect(maskedPath(path, PATHS)).toBe(path)
  },
)

it('masks 1,000 characters in linear time', () => {
  for (const path of ['/api/shelves/'.repeat(80), '%25'.repeat(330), '/'.repeat(1_000)]) {
    const startedAt = performance.now()
    maskedPath(path, PATHS)
    expect(performance.now() - startedAt).toBeLessThan(500)
  }
})

it.each([
  ['/api/shelves/:shelf', ['key']],
  ['/:shelf/:key', ['key']],
])('rejects the template %s, whose paths have no secret or nothing before it', (...given) => {
  expect(() => secretPath(...given)).toThrow(/must have a secret parameter/)
})
