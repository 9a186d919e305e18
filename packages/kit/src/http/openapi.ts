import { applyDecorators, type Type } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import {
  ApiOperation,
  ApiProperty,
  ApiResponse,
  DocumentBuilder,
  type OpenAPIObject,
  SwaggerModule,
} from '@nestjs/swagger'
import { withNullTypes } from './openapi-nulls.js'
import { HTTP_PROBLEMS, type ProblemKind, PROBLEM_JSON } from './problem.js'

export interface ServiceInfo {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly version: string
  /** The requests that the service sends to its clients, by name, and the classes of their schemas. */
  readonly webhooks?: {
    readonly operations: NonNullable<OpenAPIObject['webhooks']>
    readonly models: readonly Type[]
  }
}

class FieldErrorSchema {
  @ApiProperty({
    type: String,
    description: 'Empty in the last error if more than 20 fields are invalid',
    example: 'amount',
  })
  field: string

  @ApiProperty({ type: String, example: 'must be a positive amount' })
  message: string
}

/** Problem details, RFC 9457. */
export class ProblemSchema {
  @ApiProperty({
    type: String,
    description: 'Stable URI of the kind of problem',
    example: '/problems/validation',
  })
  type: string

  @ApiProperty({ type: String, example: 'The request is not valid' })
  title: string

  @ApiProperty({ type: Number, example: 400 })
  status: number

  @ApiProperty({ type: String, description: 'Explanation of this occurrence, for people' })
  detail: string

  @ApiProperty({ type: String, example: '/api/payments' })
  instance: string

  @ApiProperty({ type: String, description: 'As in `X-Request-Id` and in the log' })
  requestId: string

  @ApiProperty({ type: [FieldErrorSchema], required: false })
  errors?: FieldErrorSchema[]
}

/** Problems that every route with a body may return, besides those of every route. */
export const BODY_PROBLEMS = [
  HTTP_PROBLEMS.malformed,
  HTTP_PROBLEMS.tooLarge,
  HTTP_PROBLEMS.mediaType,
  HTTP_PROBLEMS.contentEncoding,
] as const

interface Route {
  summary: string
  description?: string
  /** Problems of this route, besides those of every route: invalid input and 503. */
  problems?: readonly ProblemKind[]
  /** Whether the route ignores its query, as a route outside `/api` does. */
  ignoresQuery?: boolean
}

/** Documents a route. Problems with the same status share one response. */
export function ApiRoute(
  { problems = [], ignoresQuery = false, ...operation }: Route,
  ...others: MethodDecorator[]
) {
  const input = ignoresQuery ? [] : [HTTP_PROBLEMS.validation, HTTP_PROBLEMS.tooManyInvalid]
  const all = new Set([...input, ...problems, HTTP_PROBLEMS.unavailable])
  const byStatus = Map.groupBy(all, ({ status }) => status)
  return applyDecorators(
    ApiOperation(operation),
    ...[...byStatus.values()].map((kinds) => ApiResponse(responseOf(kinds))),
    ...others,
  )
}

function responseOf(kinds: readonly ProblemKind[]) {
  const [{ type, status, title }] = kinds as [ProblemKind]
  return {
    status,
    description: kinds.map((kind) => `${kind.title} (\`${kind.type}\`)`).join('; '),
    content: {
      [PROBLEM_JSON]: {
        schema: { $ref: '#/components/schemas/ProblemSchema' },
        example: {
          type: `/problems/${type}`,
          title,
          status,
          detail: 'Explanation of this occurrence.',
          instance: '/api/…',
          requestId: '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11',
        },
      },
    },
  }
}

/** Adds the problem of every route whose path has a parameter, which Fastify's router limits. */
function withLongPaths(document: OpenAPIObject): OpenAPIObject {
  const { status, ...response } = responseOf([HTTP_PROBLEMS.uriTooLong])
  for (const [path, { get, put, post, patch, delete: remove }] of Object.entries(document.paths)) {
    const operations = path.includes('{') ? [get, put, post, patch, remove] : []
    for (const operation of operations) {
      if (operation) operation.responses[status] = response
    }
  }
  return document
}

/** Serves Swagger UI at /docs and the OpenAPI document at /docs-json; both are public. */
export function serveOpenApi(app: NestFastifyApplication, about: ServiceInfo) {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(about.title)
    .setDescription(about.description)
    .setVersion(about.version)
    .addGlobalParameters({
      name: 'X-Request-Id',
      in: 'header',
      required: false,
      description: 'Returned in the response; generated if missing',
      schema: { type: 'string' },
    })
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description:
        'An access token of auth. For payments also an API key, `mlp_live_…` or `mlp_test_…`',
    })
    .build()
  const { operations, models = [] } = about.webhooks ?? {}
  const createDocument = () => {
    const extraModels = [ProblemSchema, ...models]
    const document = SwaggerModule.createDocument(app, config, { extraModels })
    const { webhooks: _, ...rest } = withNullTypes(withLongPaths(document))
    return operations ? { ...rest, webhooks: operations } : rest
  }
  // Each request for YAML would convert the document again, which takes 50 ms.
  SwaggerModule.setup('docs', app, createDocument, { raw: ['json'] })
}
