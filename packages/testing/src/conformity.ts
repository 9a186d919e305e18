import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'

/** A response in a test. */
export interface Answer {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any
}

interface Operation {
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}

/** The parts of an OpenAPI 3.1 document that the check uses. */
export interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

/** Statuses that a response may have before a route handles the request; routes need not document them. */
const BEFORE_ROUTES = new Set([404, 405, 408, 413, 414, 415, 431])

/**
 * Checks responses against an OpenAPI document. The route must document the status, the media type and body
 * must match, and objects must not have undocumented properties.
 */
export function conformity(document: OpenApiDocument) {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true })
  formats.default(ajv)
  ajv.addSchema({ $id: 'document', components: closed(document.components) })
  const compiled = new Map<object, ValidateFunction>()
  const validatorOf = (schema: object) => {
    const validate = compiled.get(schema) ?? ajv.compile(absolute(schema))
    compiled.set(schema, validate)
    return validate
  }
  return (method: string, path: string, answer: Answer) => {
    const where = `${method} ${path} ${answer.status}`
    const operation = operationOf(document, method, path)
    const response = operation?.responses[String(answer.status)]
    if (!response) {
      if (!path.startsWith('/api/') || BEFORE_ROUTES.has(answer.status)) return
      throw new Error(`${where} is not in the OpenAPI document: ${JSON.stringify(answer.body)}`)
    }
    const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? ''
    const schema = response.content?.[type]?.schema
    if (!schema) {
      if (!response.content && answer.body === '') return
      throw new Error(`${where} has the media type ${type}, which is not documented`)
    }
    const validate = validatorOf(schema)
    if (validate(answer.body)) return
    throw new Error(`${where} does not match its schema: ${ajv.errorsText(validate.errors)}`)
  }
}

function operationOf(document: OpenApiDocument, method: string, path: string) {
  const bare = path.split('?')[0] ?? path
  const exact = document.paths[bare]
  const template = exact
    ? bare
    : Object.keys(document.paths).find((candidate) =>
        new RegExp(`^${candidate.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(bare),
      )
  return template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()]
}

/** Disallows properties that a schema does not name, except in problems, which may have extension members. */
function closed(components: OpenApiDocument['components']) {
  const schemas = Object.entries(components.schemas).map(([name, schema]) => {
    const open =
      name === 'ProblemSchema' || !('properties' in schema) || 'additionalProperties' in schema
    return [name, open ? schema : { ...schema, additionalProperties: false }]
  })
  return { schemas: Object.fromEntries(schemas) as Record<string, object> }
}

/** Replaces references to `#/components` by references to the schema `document`. */
function absolute(schema: object): object {
  return JSON.parse(
    JSON.stringify(schema).replaceAll('"#/components', '"document#/components'),
  ) as object
}
