import { UsageError } from '@malipo/kit/command'
import { describe, expect, it } from 'vitest'
import { parseErase } from './erase-command.js'

const PHONE = '+256772123456'
const EMAIL = 'amina@example.com'

describe('the erase command', () => {
  it('takes a phone and an email in normal form, and changes nothing by default', () => {
    expect(parseErase(['--phone', '0772 123456', '--email', ' Amina@Example.com'], {})).toEqual({
      person: { phone: PHONE, email: EMAIL },
      isApplied: false,
    })
  })

  it('takes what no option states from the environment', () => {
    const env = { ERASE_PHONE: '0772123456', ERASE_EMAIL: EMAIL }
    expect(parseErase(['--apply'], env)).toEqual({
      person: { phone: PHONE, email: EMAIL },
      isApplied: true,
    })
    expect(parseErase(['--phone', '0772000000'], env).person).toEqual({
      phone: '+256772000000',
      email: EMAIL,
    })
  })

  it.each([
    [[]],
    [['--apply']],
    [['--help', '--phone', PHONE]],
    [['--phone']],
    [['--phone', '']],
    [['--phone', 'amina']],
    [['--phone', '+999123456789012']],
    [['--email', '']],
    [['--email', 'amina']],
    [['--phone', PHONE, '--email', 'amina']],
    [['--phone', PHONE, '--all']],
    [[PHONE]],
  ])('rejects %j', (args) => {
    expect(() => parseErase(args, {})).toThrow(UsageError)
  })
})
