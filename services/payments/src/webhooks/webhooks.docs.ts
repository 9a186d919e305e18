import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { PaymentDto } from '../payments/payments.dto.js'
import { PROBLEMS } from '../problems.js'
import { WebhookDto } from './webhooks.dto.js'

const { validation, malformed, tooLarge, mediaType, unavailable } = HTTP_PROBLEMS

const SIGNATURE_HEADERS = {
  'webhook-id': 'The webhook’s id, which is signed',
  'webhook-timestamp': 'When it was sent, Unix seconds; at most 5 minutes off',
  'webhook-signature': '`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64',
}

export const DocsOfWebhook = () =>
  applyDecorators(
    ApiBearerAuth(),
    ApiTracing(),
    ...Object.entries(SIGNATURE_HEADERS).map(([name, description]) =>
      ApiHeader({ name, description, required: false }),
    ),
    ApiOperation({
      summary: 'A provider’s news of a payment',
      description:
        'Proved by a Standard Webhooks signature of the provider, or by a token with `payments:settle` for one’s own payments. An id counts once: repeats are answered 200 and change nothing.',
    }),
    ApiBody({ type: WebhookDto }),
    ApiOkResponse({
      type: PaymentDto,
      headers: { ETag: { description: 'The version', schema: { type: 'string' } } },
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
