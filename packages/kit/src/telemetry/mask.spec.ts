import { describe, expect, it } from 'vitest'
import { mask } from './mask.js'

describe('mask', () => {
  it.each([
    ['Key (phone)=(+256772123456) already exists', 'Key (phone)=([phone …56]) already exists'],
    ['+256 772 123 456 called', '[phone …56] called'],
    ['256772123456', '[phone …56]'],
    ['0772123456 called', '[phone …56] called'],
    ['Key (email)=(amina@example.com)', 'Key (email)=([email])'],
    ['<a.b+c@sub.example.co.ug>', '<[email]>'],
    ['Bearer eyJhbGciOi.eyJzdWIi.c2ln-_ is', 'Bearer [token] is'],
    ['eyJhbGciOi.eyJzdWIi.', '[token]'],
    ['amina@example.com and +256772123456', '[email] and [phone …56]'],
  ])('turns %j into %j', (text, masked) => {
    expect(mask(text)).toBe(masked)
  })

  it.each([
    'connect ECONNREFUSED 127.0.0.1:54321',
    '2026-11-24T17:50:00.000Z',
    '019b76da-a800-7000-8000-0242ac120002',
    'PAY-019b76da-a800-7000-8000-0242ac120002',
    'at file:///app/node_modules/@nestjs/core/router/router-execution-context.js:98:62',
    'took 1234 ms of 12000',
    '',
  ])('leaves %j unchanged', (text) => {
    expect(mask(text)).toBe(text)
  })
})
