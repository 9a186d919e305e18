import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import {
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiParam,
} from '@nestjs/swagger'
import { PROBLEMS, TOKEN_PROBLEMS } from '../problems.js'
import { EndpointDto, EndpointPageDto, NewSecretDto } from './webhook-endpoints.dto.js'

const header = (description: string) => ({ description, schema: { type: 'string' as const } })
const ETAG = { ETag: header('The version of the endpoint') }

const ApiEndpointId = () =>
  ApiParam({ name: 'id', description: 'Endpoint id', schema: { type: 'string', format: 'uuid' } })

const SHOWN_ONCE =
  'The response shows the secret once, so `Idempotency-Key` is refused (400). Needs `webhooks:write`.'

export const CreateDocs = () =>
  ApiRoute(
    {
      summary: 'Create a webhook endpoint',
      description: `Where you receive notifications of events. You have at most 16 endpoints. ${SHOWN_ONCE}`,
      problems: [
        ...BODY_PROBLEMS,
        ...TOKEN_PROBLEMS,
        PROBLEMS.tooManyEndpoints,
        PROBLEMS.secretsUnavailable,
      ],
    },
    ApiCreatedResponse({
      type: NewSecretDto,
      headers: { ...ETAG, Location: header('The path of the endpoint') },
    }),
  )

export const ListDocs = () =>
  ApiRoute(
    {
      summary: 'List your webhook endpoints',
      description: 'Newest first. Needs `payments:read` or `webhooks:write`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: EndpointPageDto }),
  )

export const GetDocs = () =>
  ApiRoute(
    {
      summary: 'Get a webhook endpoint',
      description: 'Needs `payments:read` or `webhooks:write`.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noEndpoint],
    },
    ApiEndpointId(),
    ApiOkResponse({ type: EndpointDto, headers: ETAG }),
  )

export const ChangeDocs = () =>
  ApiRoute(
    {
      summary: 'Change a webhook endpoint',
      description:
        'Absent fields stay as they are. An endpoint with another URL, or enabled again, begins without its earlier ' +
        'failures. Needs `webhooks:write`.',
      problems: [
        ...BODY_PROBLEMS,
        ...TOKEN_PROBLEMS,
        PROBLEMS.noEndpoint,
        PROBLEMS.endpointChanged,
      ],
    },
    ApiEndpointId(),
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'ETags: the change is made only if the endpoint has one of these versions',
      schema: { type: 'string', maxLength: 200 },
    }),
    ApiOkResponse({ type: EndpointDto, headers: ETAG }),
  )

export const DeleteDocs = () =>
  ApiRoute(
    {
      summary: 'Delete a webhook endpoint',
      description: 'Its secrets are deleted. Needs `webhooks:write`.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noEndpoint],
    },
    ApiEndpointId(),
    ApiNoContentResponse({ description: 'Endpoint deleted' }),
  )

export const RotateDocs = () =>
  ApiRoute(
    {
      summary: 'Rotate the secret of a webhook endpoint',
      description:
        'The replaced secret signs too for `overlapSeconds`. During an overlap, a rotation replaces the newest secret ' +
        `and leaves the oldest its time. So rotate again if the response was lost. ${SHOWN_ONCE}`,
      problems: [
        ...BODY_PROBLEMS,
        ...TOKEN_PROBLEMS,
        PROBLEMS.noEndpoint,
        PROBLEMS.secretsUnavailable,
      ],
    },
    ApiEndpointId(),
    ApiOkResponse({ type: NewSecretDto, headers: ETAG }),
  )
