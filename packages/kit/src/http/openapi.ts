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

/** What a service says of itself. */
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
    description: 'A stable URI of the kind',
    example: '/problems/validation',
  })
  type: string

  @ApiProperty({ type: String, example: 'The request is not valid' })
  title: string

  @ApiProperty({ type: Number, example: 400 })
  status: number

  @ApiProperty({ type: String, description: 'What happened this time, for people' })
  detail: string

  @ApiProperty({ type: String, example: '/api/payments' })
  instance: string

  @ApiProperty({ type: String, description: 'Also in `X-Request-Id` and in the log' })
  requestId: string

  @ApiProperty({ type: [FieldErrorSchema], required: false })
  errors?: FieldErrorSchema[]
}

/** Documents the errors that a route answers: kinds with one status share one response. */
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
              detail: 'What happened this time.',
              instance: '/api/…',
              requestId: '0d4f0c5e-7d0c-4c43-9f0a-1c8d5b0f6f11',
            },
          },
        },
      }),
    ),
  )
}

/** The headers that every route takes. */
export function ApiTracing() {
  return ApiHeader({
    name: 'X-Request-Id',
    required: false,
    description: 'Comes back in the answer; made up when missing',
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
