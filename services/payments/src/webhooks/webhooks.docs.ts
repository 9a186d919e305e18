import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse } from '@nestjs/swagger'
import { ETAG } from '../payments/payments.docs.js'
import { PaymentDto } from '../payments/payments.dto.js'
import { PROBLEMS, TOKEN_PROBLEMS } from '../problems.js'
import { WebhookDto } from './webhooks.dto.js'

const SIGNATURE_HEADERS = {
  'webhook-id': 'The webhook’s id, part of the signed content',
  'webhook-timestamp': 'Unix time in seconds, within 5 minutes of the current time',
  'webhook-signature': '`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`',
}

export const ReceiveDocs = () =>
  ApiRoute(
    {
      summary: 'Receive a provider webhook',
      description:
        'Authenticated by a Standard Webhooks signature, or by a token with `payments:settle` for the caller’s own payments. A provider moves only payments of its account; the secret of `manual` and a token move only payments with the provider `manual`. A webhook id is applied once: a duplicate returns 200 and changes nothing.',
      problems: [
        ...BODY_PROBLEMS,
        PROBLEMS.transition,
        PROBLEMS.signature,
        ...TOKEN_PROBLEMS,
        PROBLEMS.noPayment,
        PROBLEMS.hasProvider,
        PROBLEMS.otherAmount,
        PROBLEMS.transactionUsed,
        PROBLEMS.webhookReused,
      ],
    },
    ApiBearerAuth(),
    ...Object.entries(SIGNATURE_HEADERS).map(([name, description]) =>
      ApiHeader({ name, description, required: false }),
    ),
    ApiBody({ type: WebhookDto }),
    ApiOkResponse({ type: PaymentDto, headers: ETAG }),
  )
