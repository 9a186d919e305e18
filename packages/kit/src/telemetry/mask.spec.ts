import { describe, expect, it } from 'vitest'
import { mask, maskRequestId } from './mask.js'

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
    [`Bearer mlp_live_${'0aZ'.repeat(12)} is`, 'Bearer [key] is'],
    [`key=mlp_test_${'0'.repeat(36)},`, 'key=[key],'],
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

describe('maskRequestId', () => {
  it.each([
    ['256772123456', '[phone …56]'],
    ['order-256772123456', 'order-[phone …56]'],
    ['app_0772123456:7', 'app_[phone …56]:7'],
    ['a.256772123456.b', 'a.[phone …56].b'],
    ['user256772123456x', 'user[phone …56]x'],
    ['order-256-772-123-456', 'order-[phone …56]'],
    ['0772.123.456', '[phone …56]'],
    ['256772123-456', '[phone …56]'],
    ['077212345', '[phone …45]'],
    ['eyJhbGciOi.eyJzdWIi.c2ln', '[token]'],
  ])('turns %s into %s', (id, masked) => {
    expect(maskRequestId(id)).toBe(masked)
  })

  it.each([
    'order-17',
    '019b76da-a800-7000-8000-024211120002',
    '4bf92f3577b34da6a3ce929d0e0e4736',
    '00f067aa012902b7',
    '2026-11-29-1',
  ])('leaves %s unchanged', (id) => {
    expect(maskRequestId(id)).toBe(id)
  })
})

it.each([
  ['letters', 'x'],
  ['starts of tokens', 'eyJ'],
  ['starts of keys', 'mlp_live_0'],
  ['at signs', '@a.'],
  ['digits and dashes', '1-'],
  ['pluses', '+1'],
])('masks 16 kB of %s in less than 100 ms', (_, part) => {
  const text = part.repeat(16_000 / part.length)
  const startedAt = performance.now()
  mask(text)
  maskRequestId(text)
  expect(performance.now() - startedAt).toBeLessThan(100)
})
