import { ApiProblems, ApiTracing } from '@malipo/kit/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { TokensDto } from './login.dto.js'

export const LoginDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Open a session' }),
    ApiTracing(),
    ApiOkResponse({ type: TokensDto }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      HTTP_PROBLEMS.malformed,
      PROBLEMS.wrongCredentials,
      HTTP_PROBLEMS.tooLarge,
      HTTP_PROBLEMS.mediaType,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )
