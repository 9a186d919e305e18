import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
} from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import {
  CreatePaymentDto,
  MovePaymentDto,
  PaymentDto,
  PaymentEventsDto,
  PaymentPageDto,
} from './payments.dto.js'

/** What the document says of each route. */

const { validation, malformed, tooLarge, mediaType, unavailable } = HTTP_PROBLEMS

const TOKEN_PROBLEMS = [
  PROBLEMS.unauthenticated,
  PROBLEMS.forbidden,
  PROBLEMS.tooManyRejectedTokens,
]
const DOWN = [unavailable, PROBLEMS.authUnavailable]
const BODY_PROBLEMS = [validation, malformed, tooLarge, mediaType]

const ETAG = { ETag: { description: 'The version', schema: { type: 'string' as const } } }
const REPLAYED = {
  'Idempotent-Replayed': {
    description: '`true` when the first answer was given again',
    schema: { type: 'string' as const },
  },
}

const ApiKey = () =>
  ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: '1 to 255 printable ASCII characters; kept for 24 h at least',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  })

const ApiReference = () =>
  ApiParam({ name: 'reference', example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })

export const DocsOfCreate = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiKey(),
    ApiOperation({ summary: 'Make a payment', description: 'Needs `payments:write`.' }),
    ApiBody({ type: CreatePaymentDto }),
    ApiCreatedResponse({
      type: PaymentDto,
      headers: {
        ...ETAG,
        ...REPLAYED,
        Location: { description: 'The payment’s path', schema: { type: 'string' } },
      },
    }),
    ApiProblems(
      ...BODY_PROBLEMS,
      ...TOKEN_PROBLEMS,
      PROBLEMS.keyInUse,
      PROBLEMS.keyReused,
      ...DOWN,
    ),
  )

export const DocsOfGet = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiReference(),
    ApiOperation({ summary: 'One payment', description: 'Needs `payments:read`.' }),
    ApiOkResponse({ type: PaymentDto, headers: ETAG }),
    ApiProblems(...TOKEN_PROBLEMS, PROBLEMS.noPayment, ...DOWN),
  )

export const DocsOfList = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiOperation({ summary: 'Payments, newest first', description: 'Needs `payments:read`.' }),
    ApiOkResponse({ type: PaymentPageDto }),
    ApiProblems(validation, ...TOKEN_PROBLEMS, ...DOWN),
  )

export const DocsOfEvents = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiReference(),
    ApiOperation({ summary: 'Every change of a payment', description: 'Needs `payments:read`.' }),
    ApiOkResponse({ type: PaymentEventsDto }),
    ApiProblems(...TOKEN_PROBLEMS, PROBLEMS.noPayment, ...DOWN),
  )

export const DocsOfMove = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiReference(),
    ApiKey(),
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'The `ETag` that must still hold',
    }),
    ApiOperation({
      summary: 'Move a payment’s status',
      description:
        'INITIATED → PENDING → SUCCESS or FAILED. Needs `payments:settle`, or `payments:admin` and a reason.',
    }),
    ApiBody({ type: MovePaymentDto }),
    ApiOkResponse({ type: PaymentDto, headers: { ...ETAG, ...REPLAYED } }),
    ApiProblems(
      ...BODY_PROBLEMS,
      PROBLEMS.transition,
      ...TOKEN_PROBLEMS,
      PROBLEMS.noPayment,
      PROBLEMS.keyInUse,
      PROBLEMS.versionChanged,
      PROBLEMS.keyReused,
      ...DOWN,
    ),
  )
