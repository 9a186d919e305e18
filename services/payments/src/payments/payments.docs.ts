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
  ChangeStatusDto,
  PaymentDto,
  PaymentEventsDto,
  PaymentPageDto,
} from './payments.dto.js'

/** The OpenAPI operations of payments. */

const { validation, malformed, tooLarge, mediaType, unavailable } = HTTP_PROBLEMS

const TOKEN_PROBLEMS = [
  PROBLEMS.unauthenticated,
  PROBLEMS.forbidden,
  PROBLEMS.tooManyRejectedTokens,
]
const DOWN = [unavailable, PROBLEMS.authUnavailable]
const BODY_PROBLEMS = [validation, malformed, tooLarge, mediaType]

const ETAG = { ETag: { description: 'The payment’s version', schema: { type: 'string' as const } } }
const REPLAYED = {
  'Idempotent-Replayed': {
    description: '`true` if this is the first response again',
    schema: { type: 'string' as const },
  },
}

const ApiKey = () =>
  ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: '1 to 255 printable ASCII characters, retained for at least 24 hours',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  })

const ApiReference = () =>
  ApiParam({ name: 'reference', example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })

export const CreateDocs = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiKey(),
    ApiOperation({ summary: 'Create a payment', description: 'Needs `payments:write`.' }),
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

export const GetDocs = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiReference(),
    ApiOperation({ summary: 'Get a payment', description: 'Needs `payments:read`.' }),
    ApiOkResponse({ type: PaymentDto, headers: ETAG }),
    ApiProblems(...TOKEN_PROBLEMS, PROBLEMS.noPayment, ...DOWN),
  )

export const ListDocs = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiOperation({ summary: 'List payments', description: 'Newest first. Needs `payments:read`.' }),
    ApiOkResponse({ type: PaymentPageDto }),
    ApiProblems(validation, ...TOKEN_PROBLEMS, ...DOWN),
  )

export const EventsDocs = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiReference(),
    ApiOperation({
      summary: 'List a payment’s events',
      description: 'Oldest first. Needs `payments:read`.',
    }),
    ApiOkResponse({ type: PaymentEventsDto }),
    ApiProblems(...TOKEN_PROBLEMS, PROBLEMS.noPayment, ...DOWN),
  )

export const ChangeStatusDocs = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ApiReference(),
    ApiKey(),
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'The `ETag` that the payment must still have',
    }),
    ApiOperation({
      summary: 'Change a payment’s status',
      description:
        'Allowed: INITIATED to PENDING, PENDING to SUCCESS or FAILED. Needs `payments:settle`, or `payments:admin` and a reason.',
    }),
    ApiBody({ type: ChangeStatusDto }),
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
