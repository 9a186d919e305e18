import { describe, expect, it } from 'vitest'
import { OrderError, parseOrder } from './order.js'

describe('an order', () => {
  it('makes an operator unless it says otherwise', () => {
    expect(parseOrder(['--phone', '0772 123456'], 'live')).toEqual({
      phone: '+256772123456',
      email: undefined,
      granted: ['payments:admin', 'auth:admin'],
    })
  })

  it('is taken in its normal form', () => {
    const args = [
      '--phone=+256772123456',
      '--email',
      ' Amina@Example.com',
      '--grant',
      'auth:admin, payments:read',
    ]
    expect(parseOrder(args, 'live')).toEqual({
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
    [['--phone', '+256772123456', '--grant', '']],
    [['--phone', '+256772123456', '--grant', 'payments:settle']],
    [['--phone', '+256772123456', '--grant', 'auth:admin,everything']],
  ])('is not %j', (args) => {
    expect(() => parseOrder(args, 'live')).toThrow(OrderError)
  })
})
