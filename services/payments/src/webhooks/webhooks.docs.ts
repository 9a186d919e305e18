import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { PaymentDto } from '../payments/payments.dto.js'
import { PROBLEMS } from '../problems.js'
import { WebhookDto } from './webhooks.dto.js'

const { validation, malformed, tooLarge, mediaType, unavailable } = HTTP_PROBLEMS

const SIGNATURE_HEADERS = {
  'webhook-id': 'The webhook’s id, part of the signed content',
  'webhook-timestamp': 'Unix time in seconds, at most 5 minutes from now',
  'webhook-signature': '`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`',
}

export const ReceiveDocs = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ...Object.entries(SIGNATURE_HEADERS).map(([name, description]) =>
      ApiHeader({ name, description, required: false }),
    ),
    ApiOperation({
      summary: 'Receive a provider webhook',
      description:
        'Authenticated by a Standard Webhooks signature, or by a token with `payments:settle` for the caller’s own payments. An id is applied once: a duplicate returns 200 and changes nothing.',
    }),
    ApiBody({ type: WebhookDto }),
    ApiOkResponse({
      type: PaymentDto,
      headers: { ETag: { description: 'The payment’s version', schema: { type: 'string' } } },
    }),
    ApiProblems(
      validation,
      malformed,
      PROBLEMS.transition,
      PROBLEMS.unauthenticated,
      PROBLEMS.signature,
      PROBLEMS.forbidden,
      PROBLEMS.tooManyRejectedTokens,
      PROBLEMS.noPayment,
      tooLarge,
      mediaType,
      PROBLEMS.webhookReused,
      unavailable,
      PROBLEMS.authUnavailable,
    ),
  )
