import { ApiRoute } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { ApiBody, ApiConsumes, ApiOkResponse, ApiParam } from '@nestjs/swagger'

const PARAMETERS = {
  account: 'The name of the provider’s account',
  attempt: 'The id of the attempt',
  nonce: 'The secret part of the URL',
}

function callbackDocs(parameters: (keyof typeof PARAMETERS)[], description: string) {
  return ApiRoute(
    {
      summary: 'Receive a callback of a provider',
      description: `For providers only. ${description} The body may have any form, up to 64 kB, and is stored as received.`,
      problems: [HTTP_PROBLEMS.malformed, HTTP_PROBLEMS.notFound, HTTP_PROBLEMS.tooLarge],
      ignoresQuery: true,
    },
    ...parameters.map((name) =>
      ApiParam({ name, description: PARAMETERS[name], schema: { type: 'string' } }),
    ),
    ApiConsumes('*/*'),
    ApiBody({ required: false, schema: { type: 'string', format: 'binary' } }),
    ApiOkResponse({ description: 'The callback is stored' }),
  )
}

export const AttemptCallbackDocs = () =>
  callbackDocs(
    ['account', 'attempt', 'nonce'],
    'The URL is part of the request for money, and secret. A callback without a valid signature changes no payment: it triggers a query.',
  )

export const AccountCallbackDocs = () =>
  callbackDocs(
    ['account'],
    'For accounts whose callbacks all have one URL. A callback without a valid signature changes no payment: it triggers a query if it names an open attempt, and is answered with 404 otherwise.',
  )
