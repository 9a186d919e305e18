import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import { ApiNoContentResponse, ApiOkResponse, ApiParam } from '@nestjs/swagger'
import { PROBLEMS } from '../problems.js'
import { SessionsDto, TokensDto } from './sessions.dto.js'

const { unauthenticated, tooManyAttempts, revocationPending } = PROBLEMS

const ApiRevoked = () => ApiNoContentResponse({ description: 'Session revoked on all replicas' })

export const LoginDocs = () =>
  ApiRoute(
    {
      summary: 'Log in',
      description:
        'Wrong passwords are limited for each account, from whatever addresses they come. A client that sends ' +
        'a `device_token`, or an access token of the account as `Authorization: Bearer`, has its own limit. ' +
        'A token that is not valid for the account has no effect.',
      problems: [...BODY_PROBLEMS, PROBLEMS.wrongCredentials, tooManyAttempts],
    },
    ApiOkResponse({ type: TokensDto }),
  )

export const RefreshDocs = () =>
  ApiRoute(
    {
      summary: 'Refresh the access token',
      description:
        'Exchanges a refresh token for the next one. For 60 seconds after its first use (`REFRESH_GRACE_MS`) ' +
        'the same token is answered with the same next token. So a client can repeat a request whose response ' +
        'it lost, and two tabs can refresh at once. Using the token later revokes the session.',
      problems: [...BODY_PROBLEMS, PROBLEMS.refreshTokenNotValid, tooManyAttempts],
    },
    ApiOkResponse({ type: TokensDto }),
  )

export const LogoutDocs = () =>
  ApiRoute(
    {
      summary: 'Log out',
      description:
        'Revokes the session of this token. After the response, every replica of every service rejects its tokens.',
      problems: [unauthenticated, revocationPending],
    },
    ApiRevoked(),
  )

export const ListDocs = () =>
  ApiRoute(
    { summary: 'List your active sessions', problems: [unauthenticated] },
    ApiOkResponse({ type: SessionsDto }),
  )

export const DeleteDocs = () =>
  ApiRoute(
    {
      summary: 'Revoke one of your sessions',
      problems: [unauthenticated, PROBLEMS.sessionNotFound, revocationPending],
    },
    ApiParam({ name: 'id', description: 'Session id', schema: { type: 'string', format: 'uuid' } }),
    ApiRevoked(),
  )
