import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiBearerAuth, ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { ValidationDto } from './validation.dto.js'

export const ValidateDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Whether a token counts',
      description: 'A token that does not count is an answer (`valid: false`), not an error.',
    }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: ValidationDto }),
    ApiProblems(PROBLEMS.tokenMissing, HTTP_PROBLEMS.unavailable),
  )
