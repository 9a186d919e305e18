import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import {
  ApiBody,
  ApiCreatedResponse,
  ApiHeader,
  ApiOkResponse,
  ApiParam,
  ApiResponse,
} from '@nestjs/swagger'
import { PROBLEMS, TOKEN_PROBLEMS } from '../problems.js'
import {
  CreatePaymentDto,
  ChangeStatusDto,
  PaymentDto,
  PaymentEventsDto,
  PaymentPageDto,
} from './payments.dto.js'

const header = (description: string) => ({ description, schema: { type: 'string' as const } })

export const ETAG = { ETag: header('The payment’s version') }
const REPLAYED = { 'Idempotent-Replayed': header('`true` if this repeats the first response') }
const LOCATION = { Location: header('The payment’s path') }

const ApiIdempotencyKey = () =>
  ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      '1 to 255 printable ASCII characters, retained for at least 24 hours. Scoped to the merchant (for an operator, ' +
      'to the operator), the method and the path',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  })

const ApiReference = () =>
  ApiParam({ name: 'reference', example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })

export const CreateDocs = () =>
  ApiRoute(
    {
      summary: 'Create a payment',
      description: 'Needs `payments:write`.',
      problems: [
        ...BODY_PROBLEMS,
        ...TOKEN_PROBLEMS,
        PROBLEMS.keyInUse,
        PROBLEMS.keyReused,
        PROBLEMS.providerUnavailable,
        PROBLEMS.amountNotSupported,
        PROBLEMS.payerLimit,
      ],
    },
    ApiIdempotencyKey(),
    ApiBody({ type: CreatePaymentDto }),
    ApiCreatedResponse({ type: PaymentDto, headers: { ...ETAG, ...REPLAYED, ...LOCATION } }),
  )

export const GetDocs = () =>
  ApiRoute(
    {
      summary: 'Get a payment',
      description:
        'Needs `payments:read`. With `wait`, the response is held until the payment changes or the time has passed. The token is checked again before the response. When its owner reads a pending payment, the provider is asked for it, at most once in 10 seconds.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noPayment, PROBLEMS.tooManyWaits],
    },
    ApiReference(),
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: 'The `ETag` of the payment that the client has',
    }),
    ApiOkResponse({ type: PaymentDto, headers: ETAG }),
    ApiResponse({
      status: 304,
      description: 'The payment still has a version of `If-None-Match`',
      headers: ETAG,
    }),
  )

export const ListDocs = () =>
  ApiRoute(
    {
      summary: 'List payments',
      description: 'Newest first. Needs `payments:read`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: PaymentPageDto }),
  )

export const EventsDocs = () =>
  ApiRoute(
    {
      summary: 'List a payment’s events',
      description: 'Oldest first. Needs `payments:read`.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noPayment],
    },
    ApiReference(),
    ApiOkResponse({ type: PaymentEventsDto }),
  )

export const ChangeStatusDocs = () =>
  ApiRoute(
    {
      summary: 'Change a payment’s status',
      description:
        'Allowed: INITIATED to PENDING, PENDING to SUCCESS or FAILED. Needs `payments:settle`, or `payments:admin` and a reason.',
      problems: [
        ...BODY_PROBLEMS,
        PROBLEMS.transition,
        ...TOKEN_PROBLEMS,
        PROBLEMS.noPayment,
        PROBLEMS.hasProvider,
        PROBLEMS.keyInUse,
        PROBLEMS.transactionUsed,
        PROBLEMS.versionChanged,
        PROBLEMS.keyReused,
      ],
    },
    ApiReference(),
    ApiIdempotencyKey(),
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'The `ETag` that the payment must still have',
    }),
    ApiBody({ type: ChangeStatusDto }),
    ApiOkResponse({ type: PaymentDto, headers: { ...ETAG, ...REPLAYED } }),
  )
