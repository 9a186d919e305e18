import { describe, expect, it } from 'vitest'
import { withNullTypes } from './openapi-nulls.js'

describe('a nullable schema', () => {
  it.each<[string, object, object]>([
    ['of a type', { type: 'string', nullable: true }, { type: ['string', 'null'] }],
    ['that is not nullable', { type: 'string', nullable: false }, { type: 'string' }],
    [
      'that refers to another',
      { allOf: [{ $ref: '#/x' }], nullable: true },
      { anyOf: [{ allOf: [{ $ref: '#/x' }] }, { type: 'null' }] },
    ],
    [
      'in a list',
      { type: 'array', items: { type: 'number', nullable: true } },
      { type: 'array', items: { type: ['number', 'null'] } },
    ],
    [
      'among properties, one of which has the name',
      {
        type: 'object',
        properties: { nullable: { type: 'string', nullable: true }, default: { nullable: true } },
      },
      {
        type: 'object',
        properties: {
          nullable: { type: ['string', 'null'] },
          default: { anyOf: [{}, { type: 'null' }] },
        },
      },
    ],
    [
      'in data, which stays as it is',
      { type: 'object', example: { nullable: true }, enum: [{ nullable: true }] },
      { type: 'object', example: { nullable: true }, enum: [{ nullable: true }] },
    ],
  ])('%s', (_, schema, expected) => {
    expect(withNullTypes(schema)).toEqual(expected)
  })
})
