import { ApiRoute } from '@malipo/kit/http/openapi'
import { ApiOkResponse, ApiParam } from '@nestjs/swagger'
import { PROBLEMS, TOKEN_PROBLEMS } from '../problems.js'
import { MessageContentDto, MessagePageDto, ReplayDto } from './messages.dto.js'

const ApiId = () => ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })

export const ListDocs = () =>
  ApiRoute(
    {
      summary: 'List what providers sent',
      description:
        'Webhooks, callbacks and answers without their bodies, newest first. Needs `payments:admin`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: MessagePageDto }),
  )

export const GetDocs = () =>
  ApiRoute(
    {
      summary: 'Get a message with its body',
      description: 'The read is recorded as an operator’s action. Needs `payments:admin`.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noMessage],
    },
    ApiId(),
    ApiOkResponse({ type: MessageContentDto }),
  )

export const ReplayDocs = () =>
  ApiRoute(
    {
      summary: 'Replay a stored callback',
      description:
        'Reads its bytes again and applies them as if they arrived now. Trust does not rise: only a callback that was signed when it arrived changes an attempt, and another one triggers a query. Needs `payments:admin`.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noMessage, PROBLEMS.notReplayable],
    },
    ApiId(),
    ApiOkResponse({ type: ReplayDto }),
  )
