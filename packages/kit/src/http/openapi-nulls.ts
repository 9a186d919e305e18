/** Members of a schema whose values are data. */
const DATA = new Set(['example', 'examples', 'default', 'enum', 'const'])

/**
 * Replaces `nullable`, which the decorators write and OpenAPI 3.1 does not have, by the type `null` of JSON Schema.
 *
 * @param part an OpenAPI document, or a part of one
 */
export function withNullTypes<Part>(part: Part): Part {
  return converted(part, false) as Part
}

/** @param isMap whether the members of an object are names of properties */
function converted(part: unknown, isMap: boolean): unknown {
  if (Array.isArray(part)) return part.map((each) => converted(each, false))
  if (typeof part !== 'object' || part === null) return part
  const members = Object.entries(part).map(([name, value]) => {
    const isData = !isMap && DATA.has(name)
    return [name, isData ? value : converted(value, !isMap && name === 'properties')] as const
  })
  const schema = Object.fromEntries(members) as Record<string, unknown>
  return isMap || !('nullable' in schema) ? schema : nullable(schema)
}

function nullable({ nullable: isNullable, ...schema }: Record<string, unknown>) {
  if (isNullable !== true) return schema
  if (typeof schema['type'] === 'string') return { ...schema, type: [schema['type'], 'null'] }
  return { anyOf: [schema, { type: 'null' }] }
}
