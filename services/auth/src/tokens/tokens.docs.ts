import { ApiProblems, ApiTracing } from '@malipo/kit/http/openapi'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { applyDecorators } from '@nestjs/common'
import { ApiBearerAuth, ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { JwksDto, ValidationDto } from './tokens.dto.js'

export const ValidateDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'Validate an access token',
      description: 'An invalid token is a 200 with `valid: false`, not an error.',
    }),
    ApiBearerAuth(),
    ApiTracing(),
    ApiOkResponse({ type: ValidationDto }),
    ApiProblems(PROBLEMS.unauthenticated, HTTP_PROBLEMS.unavailable),
  )

export const JwksDocs = () =>
  applyDecorators(
    ApiOperation({
      summary: 'List the public keys that verify access tokens',
      description:
        'RFC 7517. Empty while tokens are signed with a secret. A key is listed some minutes before it ' +
        'signs, until the last token that it signed has expired. The keys do not show whether a session was revoked.',
    }),
    ApiTracing(),
    ApiOkResponse({ type: JwksDto }),
  )
