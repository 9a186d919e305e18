import 'reflect-metadata'
import { describe, expect, it } from 'vitest'
import { IsContactEmail, IsPhone, normaliseEmail, normalisePhone } from './contact.js'
import type { CountryCode } from 'libphonenumber-js/min'
import { InputPipe } from './validation.js'

describe('normalisePhone', () => {
  it.each<[string, CountryCode, string | undefined]>([
    ['+256772123456', 'UG', '+256772123456'],
    [' +256 772-123 456 ', 'UG', '+256772123456'],
    ['+256 (0)772 123 456', 'UG', '+256772123456'],
    ['0772123456', 'UG', '+256772123456'],
    ['772123456', 'UG', '+256772123456'],
    ['077-212-3456', 'UG', '+256772123456'],
    ['0772123456', 'KE', '+254772123456'],
    ['000256772123456', 'KE', '+256772123456'],
    ['٠٧٧٢١٢٣٤٥٦', 'UG', '+256772123456'],
    ['+1 202 555 0172', 'UG', '+12025550172'],
    ['+25677212345', 'UG', undefined],
    ['+2567721234567', 'UG', undefined],
    ['+999123456789', 'UG', undefined],
    ['112', 'UG', undefined],
    ['+256', 'UG', undefined],
    ['+', 'UG', undefined],
    ['', 'UG', undefined],
    ['amina', 'UG', undefined],
    ['call 0772123456', 'UG', undefined],
    ['+256772123456 ext 5', 'UG', undefined],
    // E.164 allows 15 digits, but not 16.
    ['+491234567890123', 'UG', '+491234567890123'],
    ['+4912345678901234', 'UG', undefined],
    [`+256772123456${' '.repeat(30)}`, 'UG', undefined],
  ])('%j in %s becomes %s', (input, region, normal) => {
    expect(normalisePhone(input, region)).toBe(normal)
    expect(normalisePhone(normal ?? '', region)).toBe(normal)
  })
})

it('normalises an email address to lower case without surrounding spaces', () => {
  expect(normaliseEmail(' Amina@Example.COM ')).toBe('amina@example.com')
})

class ContactDto {
  @IsPhone()
  phone: string

  @IsContactEmail()
  email: string
}

const validated = (body: object) =>
  new InputPipe().transform(body, { type: 'body', metatype: ContactDto })

describe('contact fields of a DTO', () => {
  it('are normalised', async () => {
    expect(await validated({ phone: '0772123456', email: 'A@Example.com' })).toEqual({
      phone: '+256772123456',
      email: 'a@example.com',
    })
  })

  it.each<[unknown, unknown, string[]]>([
    ['12', 'a@example.com', ['phone']],
    [256772123456, 'a@example.com', ['phone']],
    [null, 'a@example.com', ['phone']],
    [['+256772123456'], 'a@example.com', ['phone']],
    ['+256772123456', 'a@', ['email']],
    ['+256772123456', 'a b@example.com', ['email']],
    ['+256772123456', `${'a'.repeat(250)}@example.com`, ['email']],
    ['+256772123456', { toString: 'a@example.com' }, ['email']],
    [undefined, undefined, ['phone', 'email']],
  ])('phone %j and email %j: %j are rejected', async (phone, email, wrong) => {
    await expect(validated({ phone, email })).rejects.toMatchObject({
      extras: { errors: wrong.map((field) => ({ field })) },
    })
  })
})
