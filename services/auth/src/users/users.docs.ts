import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
} from '@nestjs/swagger'
import { StrengthHeader } from '../sessions/sessions.docs.js'
import { PROBLEMS } from '../problems.js'
import { UserDto, UserScopesDto } from './user.dto.js'

export const RegisterDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Make an account' }),
    ApiTracing(),
    ApiCreatedResponse({ type: UserDto, headers: StrengthHeader }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      HTTP_PROBLEMS.malformed,
      PROBLEMS.phoneTaken,
      PROBLEMS.emailTaken,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.tooLarge,
      HTTP_PROBLEMS.mediaType,
      HTTP_PROBLEMS.unavailable,
    ),
  )

export const MeDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Who the token belongs to' }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: UserDto }),
    ApiProblems(PROBLEMS.tokenMissing, PROBLEMS.tokenNotValid, HTTP_PROBLEMS.unavailable),
  )

export const ScopesDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Say what a user may do',
      description: 'A scope that is taken away ends the user’s sessions.',
    }),
    ApiBearerAuth(),
    ApiParam({ name: 'id', description: 'The user', schema: { type: 'string', format: 'uuid' } }),
    ApiTracing(),
    ApiOkResponse({ type: UserScopesDto }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      HTTP_PROBLEMS.malformed,
      PROBLEMS.tokenMissing,
      PROBLEMS.tokenNotValid,
      PROBLEMS.insufficientScope,
      PROBLEMS.userNotFound,
      HTTP_PROBLEMS.tooLarge,
      HTTP_PROBLEMS.mediaType,
      PROBLEMS.revocationUntold,
      HTTP_PROBLEMS.unavailable,
    ),
  )
