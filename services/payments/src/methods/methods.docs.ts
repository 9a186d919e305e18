import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiOkResponse } from '@nestjs/swagger'
import { TOKEN_PROBLEMS } from '../problems.js'
import { MethodsDto } from './methods.dto.js'

export const MethodsDocs = () =>
  ApiRoute(
    {
      summary: 'List your provider accounts',
      description:
        'The active accounts that take your payments, with their limits. Payments with the provider `manual` need none. Needs `payments:read` or `payments:write`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: MethodsDto }),
  )
