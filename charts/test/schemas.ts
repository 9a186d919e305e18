import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { run } from '../../e2e/cluster.ts'

/**
 * Schemas for kubeconform, made from what a cluster itself says of its kinds: that is the only source which
 * has its operators', too. They are large, so they are kept in a folder that git does not know, from the last
 * cluster that was asked; kinds of operators that a cluster may lack are in `schemas/`.
 */

const KEPT = new URL('../../.data/chart-schemas', import.meta.url).pathname
const COMMITTED = new URL('./schemas', import.meta.url).pathname
const NAME = '{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json'

/** The groups and versions of everything that the charts make. */
const VERSIONS = [
  'api/v1',
  'apis/apps/v1',
  'apis/autoscaling/v2',
  'apis/policy/v1',
  'apis/networking.k8s.io/v1',
  'apis/gateway.networking.k8s.io/v1',
  'apis/postgresql.cnpg.io/v1',
  'apis/monitoring.coreos.com/v1',
]

/** Where kubeconform finds schemas; undefined without a cluster, now and before. */
export async function schemaLocations(): Promise<string[] | undefined> {
  const isThere = await run('kubectl', ['get', '--raw', '/version', '--request-timeout=5s']).then(
    () => true,
    () => false,
  )
  if (isThere) for (const version of VERSIONS) await keep(version)
  if (!existsSync(KEPT) || readdirSync(KEPT).length === 0) return undefined
  return [`${KEPT}/${NAME}`, `${COMMITTED}/${NAME}`]
}

interface Schema {
  [key: string]: unknown
}

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** A file for each kind of a group and version: the kind itself and all that it refers to. */
async function keep(version: string): Promise<void> {
  const text = await run('kubectl', ['get', '--raw', `/openapi/v3/${version}`])
  const { components } = JSON.parse(text) as { components: { schemas: Record<string, Schema> } }
  mkdirSync(KEPT, { recursive: true })
  const definitions = mapped(components.schemas, strict)
  for (const [name, schema] of Object.entries(components.schemas)) {
    const kinds = (schema['x-kubernetes-group-version-kind'] ?? []) as Kind[]
    for (const { group, version, kind } of kinds.length === 1 ? kinds : []) {
      const whole = { $ref: `#/definitions/${name}`, definitions: reachable(name, definitions) }
      // The core has no group, and kubeconform takes its version for one.
      const file = `${KEPT}/${kind.toLowerCase()}-${group || version}-${version}.json`
      writeFileSync(file, JSON.stringify(whole))
    }
  }
}

/** The definitions that one refers to, itself included. */
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

/** Keywords whose value is a schema, a list of them, or a map to them. */
const INNER = ['items', 'additionalProperties', 'not', 'allOf', 'anyOf', 'oneOf']

/**
 * OpenAPI's dialect as JSON Schema, and no field that is not named: `nullable` is a type, `int-or-string` is
 * two, and references lead elsewhere.
 */
function strict(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(strict)
  if (typeof node !== 'object' || node === null) return node
  const { nullable, properties, ...schema } = node as Schema
  if (schema['x-kubernetes-int-or-string'] === true || schema.format === 'int-or-string') {
    return { type: ['string', 'integer'] }
  }
  for (const word of INNER) if (word in schema) schema[word] = strict(schema[word])
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

/** Checks manifests against the schemas: what is wrong, empty when nothing is. */
export async function misfits(manifests: string, locations: readonly string[]): Promise<string> {
  const where = locations.flatMap((location) => ['-schema-location', location])
  return run('kubeconform', ['-strict', ...where, '-'], { input: manifests }).then(
    () => '',
    (error: unknown) => String(error),
  )
}
