import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiNoContentResponse, ApiParam } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'

const { unauthenticated, insufficientScope, ownScopes } = PROBLEMS

export const CloseDocs = () =>
  ApiRoute(
    {
      summary: 'Close a merchant',
      description:
        'Revokes the API keys of the merchant, and removes the scopes and sessions of its user. Its payments remain. ' +
        'Needs `auth:admin`.',
      problems: [
        unauthenticated,
        insufficientScope,
        ownScopes,
        PROBLEMS.merchantNotFound,
        PROBLEMS.revocationPending,
      ],
    },
    ApiParam({
      name: 'id',
      description: 'Merchant id, that of its user',
      schema: { type: 'string', format: 'uuid' },
    }),
    ApiNoContentResponse({ description: 'Merchant closed' }),
  )
