import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiBearerAuth, ApiNoContentResponse, ApiOperation } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'

export const StrengthHeader = {
  'Password-Strength': {
    description: 'Estimated strength of the password, from 0 (guessed at once) to 4; advisory',
    schema: { type: 'integer' as const, minimum: 0, maximum: 4 },
  },
}

export const ChangeDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Change your password', description: 'Revokes your other sessions.' }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiNoContentResponse({ description: 'Password changed', headers: StrengthHeader }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      HTTP_PROBLEMS.malformed,
      HTTP_PROBLEMS.tooLarge,
      HTTP_PROBLEMS.mediaType,
      PROBLEMS.unauthenticated,
      PROBLEMS.wrongCredentials,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )
