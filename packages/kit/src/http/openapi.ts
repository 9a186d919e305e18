import { applyDecorators } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import {
  ApiHeader,
  ApiProperty,
  ApiResponse,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger'
import { type ProblemKind, PROBLEM_JSON } from './problem.js'

export interface ServiceInfo {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly version: string
}

class FieldErrorSchema {
  @ApiProperty({ type: String, example: 'amount' })
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

/** Documents the problems of a route. Kinds with the same status share one response. */
export function ApiProblems(...kinds: ProblemKind[]) {
  const byStatus = Map.groupBy(kinds, ({ status }) => status)
  return applyDecorators(
    ...[...byStatus].map(([status, same]) =>
      ApiResponse({
        status,
        description: same.map(({ title, type }) => `${title} (\`${type}\`)`).join('; '),
        content: {
          [PROBLEM_JSON]: {
            schema: { $ref: '#/components/schemas/ProblemSchema' },
            example: {
              type: `/problems/${same[0]?.type}`,
              title: same[0]?.title,
              status,
              detail: 'Explanation of this occurrence.',
              instance: '/api/…',
              requestId: '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11',
            },
          },
        },
      }),
    ),
  )
}

/** Documents the headers that every route accepts. */
export function ApiTracing() {
  return ApiHeader({
    name: 'X-Request-Id',
    required: false,
    description: 'Returned in the response; generated if missing',
  })
}

/** Swagger UI at /docs and the document at /docs-json, both public. */
export function serveOpenApi(app: NestFastifyApplication, about: ServiceInfo) {
  const config = new DocumentBuilder()
    .setTitle(about.title)
    .setDescription(about.description)
    .setVersion(about.version)
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build()
  SwaggerModule.setup('docs', app, () =>
    SwaggerModule.createDocument(app, config, { extraModels: [ProblemSchema] }),
  )
}
