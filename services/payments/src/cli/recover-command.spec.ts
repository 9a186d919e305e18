import { describe, expect, it } from 'vitest'
import { parseRecover } from './recover-command.js'

const NOW = new Date('2026-02-01T00:00:00Z')
const parse = (...args: string[]) => parseRecover(args, NOW)

describe('recover', () => {
  it('takes a past time and an id', () => {
    expect(parse('--since', '2026-01-31T12:00:00+03:00', '--id', 'restore-1')).toEqual({
      since: new Date('2026-01-31T09:00:00Z'),
      id: 'restore-1',
    })
  })

  it.each([
    [[]],
    [['--since', 'yesterday']],
    [['--since', '2026-03-01T00:00:00Z']],
    [['--since', '2026-01-31T12:00:00Z', '--id', 'a b']],
    [['--since', '2026-01-31T12:00:00Z', '--other']],
  ])('rejects %j', (args) => {
    expect(() => parse(...args)).toThrow(/--since|--id/)
  })
})
