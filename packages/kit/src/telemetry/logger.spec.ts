import { describe, expect, it } from 'vitest'
import { errorForLog } from './logger.js'

describe('errorForLog', () => {
  it('keeps the code and constraint, and no value of a row', () => {
    const error = Object.assign(new Error('duplicate key, see +256772123456'), {
      code: '23505',
      constraint: 'users_phone_key',
      detail: 'Key (phone)=(+256772123456) already exists.',
      where: 'amina@example.com',
      config: { headers: { authorization: 'Bearer eyJa.eyJb.c' } },
    })
    const logged = errorForLog(error)
    expect(logged).toMatchObject({
      type: 'Error',
      message: 'duplicate key, see [phone …56]',
      code: '23505',
      constraint: 'users_phone_key',
    })
    expect(JSON.stringify(logged)).not.toMatch(/772123456|amina|eyJ/)
  })

  it('keeps the cause, masked', () => {
    const cause = new TypeError('amina@example.com')
    const logged = errorForLog(new Error('outer', { cause }))
    expect(logged).toMatchObject({ cause: { type: 'TypeError', message: '[email]' } })
  })

  it('accepts a thrown value that is not an error', () => {
    expect(errorForLog('call +256772123456')).toEqual({
      type: 'string',
      message: 'call [phone …56]',
    })
  })
})
