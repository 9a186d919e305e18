import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { VARIABLES } from '../src/env.js'
import { payerBehaviour } from '../src/mtn-momo/test-numbers.js'
import { PERSONALITIES, PERSONALITY_NAMES } from '../src/timeline/personalities.js'

/** The cells of each row of the tables in docs/simulator.md, by the first cell. */
const page = readFileSync(new URL('../../../docs/simulator.md', import.meta.url), 'utf8')
const rows = new Map(
  page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, first = '', ...rest]) => [first, rest.slice(0, -1)] as const),
)

it.each(PERSONALITY_NAMES)('the documentation has the personality %s', (name) => {
  const { number, weight, text } = PERSONALITIES[name]
  const expected = [String(number).padStart(2, '0'), String(weight), text]
  expect(rows.get(`\`${name}\``)).toEqual(expected)
})

it.each(Object.entries(VARIABLES))('the documentation has the variable %s', (name, { desc }) => {
  expect(rows.get(`\`${name}\``)?.at(-1)).toBe(desc)
})

it.each(Array.from({ length: 15 }, (_, index) => String(46_733_123_450 + index)))(
  'the documentation has the meaning of %s',
  (number) => {
    const { personality, code } = payerBehaviour(number)!
    const [status, reason] = rows.get(number) ?? []
    expect(reason).toBe(code === undefined ? '' : `\`${code}\``)
    expect(status?.startsWith(personality === 'decline' ? '`FAILED`' : '`PENDING`')).toBe(true)
  },
)
