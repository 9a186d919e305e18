import { UsageError } from '@malipo/kit/command'
import { describe, expect, it } from 'vitest'
import { parseCommand } from './messages-command.js'

const ID = '019aa0a0-0000-7000-8000-000000000000'

describe('the messages command', () => {
  it('has no condition by default', () => {
    expect(parseCommand(['verify'])).toEqual({
      verb: 'verify',
      ids: undefined,
      paymentId: undefined,
      webhookId: undefined,
      from: undefined,
      to: undefined,
    })
  })

  it('takes ids, a payment, a webhook and times', () => {
    const args = ['--payment', `PAY-${ID}`, '--webhook-id=evt-1', '--from', '2026-01-31t12:00:00z']
    expect(parseCommand(['export', ID, ...args])).toEqual({
      verb: 'export',
      ids: [ID],
      paymentId: ID,
      webhookId: 'evt-1',
      from: new Date('2026-01-31T12:00:00Z'),
      to: undefined,
    })
  })

  it.each([
    [[]],
    [['--help']],
    [['delete']],
    [['verify', 'evt-1']],
    [['verify', '--all']],
    [['verify', '--payment', ID]],
    [['verify', '--from', '2026-01-31']],
    [['verify', '--to']],
    [['keys', ID]],
    [['keys', '--from', '2026-01-31T12:00:00Z']],
  ])('rejects %j', (args) => {
    expect(() => parseCommand(args)).toThrow(UsageError)
  })
})
