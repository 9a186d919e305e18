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

const BODY_PROBLEMS = [
  HTTP_PROBLEMS.validation,
  HTTP_PROBLEMS.malformed,
  HTTP_PROBLEMS.tooLarge,
  HTTP_PROBLEMS.mediaType,
] as const

export const LoginDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Log in' }),
    ApiTracing(),
    ApiOkResponse({ type: TokensDto }),
    ApiProblems(
      ...BODY_PROBLEMS,
      PROBLEMS.wrongCredentials,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )

export const RefreshDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Refresh the access token',
      description:
        'A refresh token is valid once. A client that lost the response can repeat the request within ' +
        '10 seconds: it gets a new token, which replaces the lost one. Any other reuse revokes the session.',
    }),
    ApiTracing(),
    ApiOkResponse({ type: TokensDto }),
    ApiProblems(
      ...BODY_PROBLEMS,
      PROBLEMS.refreshTokenNotValid,
      PROBLEMS.tooManyAttempts,
      HTTP_PROBLEMS.unavailable,
    ),
  )

export const LogoutDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Log out',
      description:
        'Revokes the session of this token. After the response, every replica of every service rejects its tokens.',
    }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiNoContentResponse({ description: 'Session revoked on all replicas' }),
    ApiProblems(PROBLEMS.unauthenticated, PROBLEMS.revocationPending, HTTP_PROBLEMS.unavailable),
  )

export const ListDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'List your active sessions' }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: SessionsDto }),
    ApiProblems(PROBLEMS.unauthenticated, HTTP_PROBLEMS.unavailable),
  )

export const DeleteDocs = () =>
  applyDecorators(
    ApiOperation({ summary: 'Revoke one of your sessions' }),
    ApiBearerAuth(),
    ApiParam({
      name: 'id',
      description: 'Session id',
      schema: { type: 'string', format: 'uuid' },
    }),
    ApiTracing(),
    ApiNoContentResponse({ description: 'Session revoked on all replicas' }),
    ApiProblems(
      PROBLEMS.unauthenticated,
      PROBLEMS.sessionNotFound,
      PROBLEMS.revocationPending,
      HTTP_PROBLEMS.unavailable,
    ),
  )
