import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { ValidationDto } from './validation.dto.js'

export const ValidateDocs = () =>
  ApiRoute(
    {
      summary: 'Validate an access token or an API key',
      description:
        'An invalid one returns 200 with `valid: false`, not an error. A key of another mode returns 401.',
      problems: [PROBLEMS.unauthenticated, PROBLEMS.wrongMode],
    },
    ApiBearerAuth(),
    ApiOkResponse({ type: ValidationDto }),
  )
