import { UsageError } from '@malipo/kit/command'
import { describe, expect, it } from 'vitest'
import { parseErase } from './erase-command.js'

const ID = '019aa0a0-0000-7000-8000-000000000000'
const PHONE = '+256772123456'

describe('the erase command', () => {
  it('takes an id or a phone, and changes nothing by default', () => {
    expect(parseErase(['--id', ID], {})).toEqual({ person: { id: ID }, isApplied: false })
    expect(parseErase(['--phone', '0772 123456', '--apply'], {})).toEqual({
      person: { phone: PHONE },
      isApplied: true,
    })
  })

  it('takes the person from the environment if no option states one', () => {
    expect(parseErase([], { ERASE_PHONE: PHONE }).person).toEqual({ phone: PHONE })
    expect(parseErase(['--id', ID], { ERASE_PHONE: PHONE }).person).toEqual({ id: ID })
  })

  it.each([
    [[]],
    [['--help', '--id', ID]],
    [['--id']],
    [['--id', '1']],
    [['--id', ID, '--phone', PHONE]],
    [['--phone', 'amina']],
    [['--phone', '+999123456789012']],
    [['--email', 'amina@example.com']],
  ])('rejects %j', (args) => {
    expect(() => parseErase(args, {})).toThrow(UsageError)
  })

  it('rejects an id and a phone in the environment', () => {
    expect(() => parseErase([], { ERASE_ID: ID, ERASE_PHONE: PHONE })).toThrow(UsageError)
  })
})
