import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { run } from '../../e2e/cluster.ts'

/**
 * Schemas for kubeconform, renderings from the OpenAPI documents of a cluster, the only source that includes the CRDs of
 * its operators. They are large, so they are cached in a folder that git ignores. Schemas of CRDs that a cluster may
 * lack are in `schemas/`.
 */

const CACHE = new URL('../../.data/chart-schemas', import.meta.url).pathname
const COMMITTED = new URL('./schemas', import.meta.url).pathname
const NAME = '{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json'

/** API versions of all objects in the charts. */
const VERSIONS = [
  'api/v1',
  'apis/apps/v1',
  'apis/autoscaling/v2',
  'apis/batch/v1',
  'apis/policy/v1',
  'apis/networking.k8s.io/v1',
  'apis/gateway.networking.k8s.io/v1',
  'apis/postgresql.cnpg.io/v1',
  'apis/monitoring.coreos.com/v1',
]

/** Schema locations for kubeconform; undefined without a cluster and without cached schemas. */
export async function schemaLocations(): Promise<string[] | undefined> {
  const isThere = await run('kubectl', ['get', '--raw', '/version', '--request-timeout=5s']).then(
    () => true,
    () => false,
  )
  if (isThere) for (const version of VERSIONS) await cacheSchemas(version)
  if (!existsSync(CACHE) || readdirSync(CACHE).length === 0) return undefined
  return [`${CACHE}/${NAME}`, `${COMMITTED}/${NAME}`]
}

interface Schema {
  [key: string]: unknown
}

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** Writes a file for each kind of an API version: its schema with all referenced definitions. */
async function cacheSchemas(version: string): Promise<void> {
  const text = await run('kubectl', ['get', '--raw', `/openapi/v3/${version}`])
  const { components } = JSON.parse(text) as { components: { schemas: Record<string, Schema> } }
  mkdirSync(CACHE, { recursive: true })
  const definitions = mapped(components.schemas, strict)
  for (const [name, schema] of Object.entries(components.schemas)) {
    const kinds = (schema['x-kubernetes-group-version-kind'] ?? []) as Kind[]
    for (const { group, version, kind } of kinds.length === 1 ? kinds : []) {
      const whole = { $ref: `#/definitions/${name}`, definitions: reachable(name, definitions) }
      // The core API has no group; kubeconform uses its version as the group.
      const file = `${CACHE}/${kind.toLowerCase()}-${group || version}-${version}.json`
      writeFileSync(file, JSON.stringify(whole))
    }
  }
}

/** A definition and all definitions that it references. */
function reachable(name: string, all: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const follow = (each: string) => {
    if (each in found) return
    found[each] = all[each]
    for (const [, next] of JSON.stringify(all[each]).matchAll(/#\/definitions\/([^"]+)/g)) {
      if (next) follow(next)
    }
  }
  follow(name)
  return found
}

/** Keywords whose value is a schema or a list of schemas. */
const INNER = ['items', 'additionalProperties', 'not', 'allOf', 'anyOf', 'oneOf']

/**
 * Converts an OpenAPI schema to a strict JSON Schema: unknown fields are rejected, and `nullable`, `int-or-string` and
 * references are translated.
 */
function strict(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(strict)
  if (typeof node !== 'object' || node === null) return node
  const { nullable, properties, ...schema } = node as Schema
  if (schema['x-kubernetes-int-or-string'] === true || schema.format === 'int-or-string') {
    return { type: ['string', 'integer'] }
  }
  for (const keyword of INNER) if (keyword in schema) schema[keyword] = strict(schema[keyword])
  if (typeof schema.$ref === 'string') {
    schema.$ref = schema.$ref.replace('#/components/schemas/', '#/definitions/')
  }
  if (nullable === true && typeof schema.type === 'string') schema.type = [schema.type, 'null']
  if (properties === undefined) return schema
  const isOpen = 'additionalProperties' in schema || schema['x-kubernetes-preserve-unknown-fields']
  const closed = isOpen ? {} : { additionalProperties: false }
  return { ...schema, ...closed, properties: mapped(properties as Schema, strict) }
}

function mapped(record: Schema, change: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

/** Validates manifests against the schemas; returns the errors, or an empty string. */
export async function validationErrors(
  manifests: string,
  locations: readonly string[],
): Promise<string> {
  const where = locations.flatMap((location) => ['-schema-location', location])
  return run('kubeconform', ['-strict', ...where, '-'], { input: manifests }).then(
    () => '',
    (error: unknown) => String(error),
  )
}
