import 'reflect-metadata'
import {
  IsEmail,
  IsInt,
  IsOptional,
  IsString,
  MaxLength,
  Min,
  validate,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator'
import fc from 'fast-check'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { isSurelyValid } from './valid-input.js'

class BaseDto {
  @IsEmail()
  email: unknown
}

class OrderDto extends BaseDto {
  @IsString()
  @MaxLength(5)
  name: unknown

  @IsOptional()
  @IsInt()
  @Min(1)
  count?: unknown

  @ValidateIf(({ name }: OrderDto) => name === 'gift')
  @IsString()
  message?: unknown
}

const orderOf = (fields: object) => Object.assign(new OrderDto(), fields)
const VALID = { email: 'amina@example.com', name: 'order' }

describe('isSurelyValid', () => {
  it.each([
    VALID,
    { ...VALID, count: 1 },
    { ...VALID, count: null },
    { ...VALID, name: 'gift', message: 'hi' },
  ])('accepts %j', (fields) => {
    expect(isSurelyValid(orderOf(fields))).toBe(true)
  })

  it('decides as class-validator does for rules that it reads', async () => {
    const value = fc.oneof(
      fc.constantFrom(...Object.values(VALID), 'gift', 'longer', '', 1, 0, 1.5, null, undefined),
      fc.jsonValue(),
    )
    const names = fc.constantFrom('email', 'name', 'count', 'message', 'unknown')
    const fields = fc.dictionary(names, value).map((some) => ({ ...VALID, ...some }))
    await fc.assert(
      fc.asyncProperty(fields, async (input) => {
        const options = { whitelist: true, forbidNonWhitelisted: true }
        const errors = await validate(orderOf(input), options)
        expect(isSurelyValid(orderOf(input))).toBe(errors.length === 0)
      }),
      { numRuns: 500 },
    )
  })

  it('calls an asynchronous rule only once per class, and ignores its rejection', async () => {
    const rejected = vi.fn(() => Promise.reject(new Error('the list is unreadable')))
    class AsyncDto {
      @ValidateBy({ name: 'isAsync', validator: { validate: rejected } })
      value = 1
    }
    expect([isSurelyValid(new AsyncDto()), isSurelyValid(new AsyncDto())]).toEqual([false, false])
    expect(rejected).toHaveBeenCalledTimes(1)
    // An unhandled rejection would fail the test run.
    await setImmediate()
  })

  it('leaves rules of other kinds to class-validator', () => {
    class AsyncDto {
      @ValidateBy({ name: 'isAsync', validator: { validate: () => Promise.resolve(true) } })
      value = 1
    }
    class EachDto {
      @IsString({ each: true })
      value = ['a']
    }
    class ConditionalDto {
      @IsString({ validateIf: () => false })
      value = 1
    }
    class NestedDto {
      @ValidateNested()
      value = orderOf(VALID)
    }
    class PlainDto {}
    for (const dto of [AsyncDto, EachDto, ConditionalDto, NestedDto, PlainDto]) {
      expect(isSurelyValid(new dto())).toBe(false)
    }
  })
})
