import 'reflect-metadata'
import { IsOptional } from 'class-validator'
import { expect, it } from 'vitest'
import { IsPhone } from './contact.js'
import { RestorePlus } from './query-plus.js'
import { IsTime } from './time.js'
import { InputPipe } from './validation.js'

class QueryDto {
  @IsOptional()
  @IsPhone()
  @RestorePlus()
  phone?: string

  @IsOptional()
  @IsTime()
  @RestorePlus()
  from?: string
}

const transform = (query: object) =>
  new InputPipe().transform(query, { type: 'query', metatype: QueryDto })

it.each([
  [' 254712345678', '+254712345678'],
  [' 254 712 345678', '+254712345678'],
  ['+254712345678', '+254712345678'],
  ['0772123456', '+256772123456'],
  [' 0772123456', '+256772123456'],
])('reads the phone %j as %s', async (phone, normal) => {
  expect(await transform({ phone })).toEqual({ phone: normal })
})

it.each([
  ['2026-01-31T12:00:00 03:00', '2026-01-31T12:00:00+03:00'],
  ['2026-01-31T12:00:00.123 00:00', '2026-01-31T12:00:00.123+00:00'],
  ['2026-01-31T12:00:00+03:00', '2026-01-31T12:00:00+03:00'],
  ['2026-01-31T12:00:00-03:00', '2026-01-31T12:00:00-03:00'],
  ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'],
])('reads the time %j as %s', async (from, normal) => {
  expect(await transform({ from })).toEqual({ from: normal })
})

it.each([
  { phone: '  254712345678' },
  { phone: ' 12' },
  { phone: [' 254712345678'] },
  { from: ' 2026-01-31T12:00:00Z' },
  { from: '2026-01-31T12:00:00  03:00' },
  { from: '2026-01-31T12:00:00 3:00' },
])('rejects %j', async (query) => {
  await expect(transform(query)).rejects.toThrow('validation')
})
