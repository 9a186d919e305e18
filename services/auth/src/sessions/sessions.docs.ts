import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import {
  ApiBearerAuth,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
} from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { SessionsDto, TokensDto } from './sessions.dto.js'

/** A hint for the owner of a new password. */
export const StrengthHeader = {
  'Password-Strength': {
    description: 'How hard the password is to guess, from 0 (at once) to 4; a hint',
    schema: { type: 'integer' as const, minimum: 0, maximum: 4 },
  },
}

const OF_BODY = [
  HTTP_PROBLEMS.validation,
  HTTP_PROBLEMS.malformed,
  HTTP_PROBLEMS.tooLarge,
  HTTP_PROBLEMS.mediaType,
] as const
const OF_BEARER = [PROBLEMS.tokenMissing, PROBLEMS.tokenNotValid] as const

export const LoginDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Open a session' }),
    ApiTracing(),
    ApiOkResponse({ type: TokensDto }),
    ApiProblems(
      ...OF_BODY,
      PROBLEMS.wrongCredentials,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )

export const RefreshDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Go on with a session',
      description:
        'The refresh token is used up. Whoever did not get the answer may ask again within 10 seconds: ' +
        'that gives another token, and the one that was lost is no good. Any other repetition ends the session.',
    }),
    ApiTracing(),
    ApiOkResponse({ type: TokensDto }),
    ApiProblems(
      ...OF_BODY,
      PROBLEMS.refreshTokenNotValid,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )

export const LogoutDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'End the session of this token',
      description: 'Once it is answered, no replica of any service takes a token of the session.',
    }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiNoContentResponse({ description: 'The session is over, and everyone knows' }),
    ApiProblems(...OF_BEARER, PROBLEMS.revocationUntold, HTTP_PROBLEMS.unavailable),
  )

export const ListDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Your open sessions' }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: SessionsDto }),
    ApiProblems(...OF_BEARER, HTTP_PROBLEMS.unavailable),
  )

export const EndDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'End one of your sessions' }),
    ApiBearerAuth(),
    ApiParam({
      name: 'id',
      description: 'As in the list',
      schema: { type: 'string', format: 'uuid' },
    }),
    ApiTracing(),
    ApiNoContentResponse({ description: 'The session is over, and everyone knows' }),
    ApiProblems(
      ...OF_BEARER,
      PROBLEMS.sessionNotFound,
      PROBLEMS.revocationUntold,
      HTTP_PROBLEMS.unavailable,
    ),
  )

export const PasswordDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Change your password', description: 'Your other sessions end.' }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiNoContentResponse({ description: 'It is changed', headers: StrengthHeader }),
    ApiProblems(
      ...OF_BODY,
      ...OF_BEARER,
      PROBLEMS.wrongCredentials,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )
