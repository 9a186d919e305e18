import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import { ApiNoContentResponse } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'

export const StrengthHeader = {
  'Password-Strength': {
    description: 'Estimated strength of the password, from 0 (guessed at once) to 4; advisory',
    schema: { type: 'integer' as const, minimum: 0, maximum: 4 },
  },
}

const { unauthenticated, wrongCredentials, tooManyAttempts } = PROBLEMS

export const ChangeDocs = () =>
  ApiRoute(
    {
      summary: 'Change your password',
      description: 'Revokes your other sessions.',
      problems: [...BODY_PROBLEMS, unauthenticated, wrongCredentials, tooManyAttempts],
    },
    ApiNoContentResponse({ description: 'Password changed', headers: StrengthHeader }),
  )
