import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiOkResponse } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { AuditPageDto } from './audit.dto.js'

export const ListDocs = () =>
  ApiRoute(
    {
      summary: 'List audit events',
      description: 'Events of accounts and sessions, newest first. Needs `auth:admin`.',
      problems: [PROBLEMS.unauthenticated, PROBLEMS.insufficientScope],
    },
    ApiOkResponse({ type: AuditPageDto }),
  )
