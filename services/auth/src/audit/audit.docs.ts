import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiBearerAuth, ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { AuditPageDto } from './audit.dto.js'

export const ListDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'List audit events',
      description: 'Events of accounts and sessions, newest first. Needs `auth:admin`.',
    }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: AuditPageDto }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      PROBLEMS.unauthenticated,
      PROBLEMS.insufficientScope,
      HTTP_PROBLEMS.unavailable,
    ),
  )
