import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiOkResponse } from '@nestjs/swagger'
import { TOKEN_PROBLEMS } from '../problems.js'
import { OperatorActionPageDto } from './operator-actions.dto.js'

export const ListDocs = () =>
  ApiRoute(
    {
      summary: 'List what operators did',
      description: 'Newest first. Needs `payments:admin`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: OperatorActionPageDto }),
  )
