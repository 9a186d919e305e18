import 'reflect-metadata'
import { IsDefined, IsInt, IsOptional, IsString, ValidateBy } from 'class-validator'
import { describe, expect, it } from 'vitest'
import { HTTP_PROBLEMS, Problem } from './problem.js'
import { AllowUnknownFields, InputPipe, Normalise } from './validation.js'

class StrictDto {
  @IsString({ message: 'must be a string' })
  name: string

  @Normalise(Number)
  @IsOptional()
  @IsInt({ message: 'must be whole' })
  count?: number
}

@AllowUnknownFields()
class LenientDto {
  @IsString({ message: 'must be a string' })
  name: string
}

class AnyDto {
  @IsDefined()
  value: unknown
}

const pipe = new InputPipe()
const strict = (value: unknown) => pipe.transform(value, { type: 'body', metatype: StrictDto })
const lenient = (value: unknown) => pipe.transform(value, { type: 'body', metatype: LenientDto })

/** The problem that a promise is rejected with. */
const problemOf = (result: Promise<unknown>) =>
  result.then(
    () => undefined,
    (error: unknown) => error as Problem,
  )

describe('InputPipe', () => {
  it('turns valid input into an instance of the DTO', async () => {
    const value = { name: 'amina', count: 1 }
    expect(await strict(value)).toBeInstanceOf(StrictDto)
    expect(await strict(value)).toEqual(value)
  })

  it('normalises the fields that are present', async () => {
    expect(await strict({ name: 'amina', count: '1' })).toEqual({ name: 'amina', count: 1 })
    expect(await strict({ name: 'amina' })).toEqual({ name: 'amina' })
  })

  it('normalises the fields that a DTO inherits', async () => {
    class ChildDto extends StrictDto {}
    const value = { name: 'amina', count: '1' }
    const child = await pipe.transform(value, { type: 'body', metatype: ChildDto })
    expect(child).toEqual({ name: 'amina', count: 1 })
  })

  it.each(['constructor', '__proto__', 'toString'])('rejects a field named %s', async (field) => {
    const value = JSON.parse(`{"name": "amina", "${field}": [1]}`) as unknown
    expect((await problemOf(strict(value)))?.extras.errors).toMatchObject([{ field }])
  })

  it('names each invalid field', async () => {
    const problem = await problemOf(strict({ name: 1, count: 1.5, more: true }))
    expect(problem?.kind).toBe(HTTP_PROBLEMS.validation)
    expect(problem?.extras.errors).toEqual(
      expect.arrayContaining([
        { field: 'name', message: 'must be a string' },
        { field: 'count', message: 'must be whole' },
        { field: 'more', message: expect.any(String) },
      ]),
    )
    expect(problem?.extras.errors).toHaveLength(3)
  })

  it('lists 20 errors, then one that counts the others', async () => {
    const unknown = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`unknown${i}`, i]))
    const all = await problemOf(strict({ ...unknown(19), name: 1 }))
    expect(all?.extras.errors).toHaveLength(20)
    expect(all?.extras.errors?.at(-1)).toEqual({ field: 'name', message: 'must be a string' })
    const some = await problemOf(strict({ ...unknown(20), name: 1, count: 'x' }))
    expect(some?.extras.errors).toHaveLength(21)
    expect(some?.extras.errors?.at(-1)).toEqual({
      field: '',
      message: '2 more invalid fields are not listed',
    })
    expect(some?.detail).toMatch(/; 2 more invalid fields are not listed$/)
    const many = await problemOf(strict(unknown(9_000)))
    expect(many?.extras.errors).toHaveLength(21)
    expect(many?.extras.errors?.at(-1)?.message).toMatch(/^8980 more/)
  })

  it('does not run the rules of a DTO on many unknown fields or long strings', async () => {
    let isRun = false
    class RuledDto {
      @ValidateBy({ name: 'isSeen', validator: { validate: () => (isRun = true) } })
      name: string
    }
    const unknown = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`x${i}`, i]))
    const sent = (body: object) =>
      problemOf(pipe.transform(body, { type: 'body', metatype: RuledDto }))
    expect((await sent({ name: 'amina', ...unknown }))?.extras.errors).toHaveLength(21)
    expect((await sent({ name: 'x'.repeat(2_001) }))?.extras.errors).toEqual([
      { field: 'name', message: 'must be at most 2000 characters' },
    ])
    expect(isRun).toBe(false)
    expect(await sent({ name: 'x'.repeat(2_000) })).toBeUndefined()
    expect(isRun).toBe(true)
  })

  it('cuts the names of unknown fields', async () => {
    const problem = await problemOf(strict({ name: 'amina', ['é'.repeat(90_000)]: 1 }))
    const field = `${'é'.repeat(64)}…`
    expect(problem?.extras.errors).toEqual([{ field, message: 'should not exist' }])
    expect(problem?.detail).toBe(`${field}: should not exist`)
  })

  it('gives the log the names of declared fields only', async () => {
    const problem = await problemOf(strict({ name: 1, count: 'x', amina_of_kampala: 1, other: 2 }))
    expect(problem?.extras.loggedFields).toEqual(['name', 'count', '[unknown]'])
    const valid = await problemOf(strict({ name: 1 }))
    expect(valid?.extras.loggedFields).toEqual(['name'])
  })

  it('rejects a query of more than 50 parameters before any rule', async () => {
    const query = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, '']))
    const sent = (count: number) =>
      problemOf(pipe.transform(query(count), { type: 'query', metatype: StrictDto }))
    expect((await sent(50))?.extras.errors).toHaveLength(21)
    expect((await sent(51))?.extras.errors).toEqual([])
  })

  it.each([[[]], [null], ['a string'], [1], [undefined]])('rejects %j as a body', async (value) => {
    expect((await problemOf(strict(value)))?.kind).toBe(HTTP_PROBLEMS.validation)
    expect((await problemOf(lenient(value)))?.kind).toBe(HTTP_PROBLEMS.validation)
  })

  it('throws the problem of a body that could not be parsed', async () => {
    const unread = new Problem(HTTP_PROBLEMS.malformed, 'The body is not valid JSON.')
    expect(await problemOf(strict(unread))).toBe(unread)
  })

  it('drops unknown fields if the DTO allows them', async () => {
    expect(await lenient({ name: 'amina', more: true })).toEqual({ name: 'amina' })
    expect((await problemOf(lenient({ name: 1, more: true })))?.extras.errors).toEqual([
      { field: 'name', message: 'must be a string' },
    ])
  })

  it.each([
    ['a NUL character', 'x\0'],
    ['a high surrogate alone', '\ud83d'],
    ['a low surrogate alone', '\uDE00x'],
  ])('rejects %s in a field, and drops it with an unknown field', async (_, text) => {
    expect((await problemOf(lenient({ name: text })))?.extras.errors).toEqual([
      { field: 'name', message: 'must not contain a NUL character or a lone surrogate' },
    ])
    expect(await lenient({ name: 'amina', more: [{ [text]: text }] })).toEqual({ name: 'amina' })
  })

  it.each([[[{ deep: 'x\0' }]], [{ 'x\0': 1 }]])(
    'rejects a NUL character deep inside a field: %j',
    async (value) => {
      const problem = await problemOf(pipe.transform({ value }, { type: 'body', metatype: AnyDto }))
      expect(problem?.extras.errors).toMatchObject([{ field: 'value' }])
    },
  )
})
