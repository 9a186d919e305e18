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
import { StrengthHeader } from '../passwords/passwords.docs.js'
import { PROBLEMS } from '../problems.js'
import { UserDto, UserScopesDto } from './users.dto.js'

export const RegisterDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Register an account' }),
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
    ApiOperation({ summary: 'Get your account' }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: UserDto }),
    ApiProblems(PROBLEMS.unauthenticated, HTTP_PROBLEMS.unavailable),
  )

export const ScopesDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Replace a user’s scopes',
      description: 'Removing a scope revokes the user’s sessions. Needs `auth:admin`.',
    }),
    ApiBearerAuth(),
    ApiParam({ name: 'id', description: 'User id', schema: { type: 'string', format: 'uuid' } }),
    ApiTracing(),
    ApiOkResponse({ type: UserScopesDto }),
    ApiProblems(
      HTTP_PROBLEMS.validation,
      HTTP_PROBLEMS.malformed,
      PROBLEMS.unauthenticated,
      PROBLEMS.insufficientScope,
      PROBLEMS.userNotFound,
      HTTP_PROBLEMS.tooLarge,
      HTTP_PROBLEMS.mediaType,
      PROBLEMS.revocationPending,
      HTTP_PROBLEMS.unavailable,
    ),
  )
