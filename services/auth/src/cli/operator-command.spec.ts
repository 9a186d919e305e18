import { UsageError } from '@malipo/kit/command'
import { describe, expect, it } from 'vitest'
import { parseCommand } from './operator-command.js'

describe('the operator command', () => {
  it('grants the scopes of an operator by default', () => {
    expect(parseCommand(['--phone', '0772 123456'], 'live')).toEqual({
      phone: '+256772123456',
      email: undefined,
      granted: ['payments:admin', 'auth:admin'],
    })
  })

  it('normalises phone, email and scopes', () => {
    const args = [
      '--phone=+256772123456',
      '--email',
      ' Amina@Example.com',
      '--grant',
      'auth:admin, payments:read',
    ]
    expect(parseCommand(args, 'live')).toEqual({
      phone: '+256772123456',
      email: 'amina@example.com',
      granted: ['auth:admin', 'payments:read'],
    })
  })

  it.each([
    [[]],
    [['--help']],
    [['--phone']],
    [['--phone', '+256772123456', 'more']],
    [['--phone', '+256772123456', '--password', 'x']],
    [['--phone', 'amina']],
    [['--phone', '+256772123456', '--email', 'amina']],
    [['--phone', '+256772123456', '--email', `${'a'.repeat(250)}@example.com`]],
    [['--phone', '+256772123456', '--email', '"a b"@example.com']],
    [['--phone', '+256772123456', '--email', '']],
    [['--phone', '+256772123456', '--grant', '']],
    [['--phone', '+256772123456', '--grant', 'payments:settle']],
    [['--phone', '+256772123456', '--grant', 'auth:admin,everything']],
  ])('rejects %j', (args) => {
    expect(() => parseCommand(args, 'live')).toThrow(UsageError)
  })
})
