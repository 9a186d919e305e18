import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import { ApiAcceptedResponse, ApiOkResponse, ApiParam } from '@nestjs/swagger'
import { PROBLEMS, TOKEN_PROBLEMS } from '../problems.js'
import {
  DeliveryDetailDto,
  DeliveryDto,
  DeliveryPageDto,
  NotificationPageDto,
  PingedDto,
  ReplayedDto,
} from './responses.dto.js'

const ApiId = (description: string) =>
  ApiParam({ name: 'id', description, schema: { type: 'string', format: 'uuid' } })
const ApiEndpointId = () => ApiId('Endpoint id')
const ApiDeliveryId = () => ApiId('Delivery id')

const READ = 'Needs `payments:read` or `webhooks:write`.'

export const ListDeliveriesDocs = () =>
  ApiRoute(
    {
      summary: 'List the deliveries to a webhook endpoint',
      description: `Newest first. ${READ}`,
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noEndpoint],
    },
    ApiEndpointId(),
    ApiOkResponse({ type: DeliveryPageDto }),
  )

export const ListNotificationsDocs = () =>
  ApiRoute(
    {
      summary: 'List your notifications',
      description: `Newest first, each with its deliveries. They are stored for 30 days by default. ${READ}`,
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: NotificationPageDto }),
  )

export const GetDeliveryDocs = () =>
  ApiRoute(
    {
      summary: 'Get a delivery with every try',
      description: READ,
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noDelivery],
    },
    ApiDeliveryId(),
    ApiOkResponse({ type: DeliveryDetailDto }),
  )

export const ResendDocs = () =>
  ApiRoute(
    {
      summary: 'Resend a notification',
      description:
        'The delivery is due at once in every state, also if it was delivered, and its schedule begins again. The event ' +
        'has the same id and body. A repeated request sends it once more. Needs `webhooks:write`.',
      problems: [
        ...TOKEN_PROBLEMS,
        PROBLEMS.noDelivery,
        PROBLEMS.endpointNotEnabled,
        PROBLEMS.tooManyTries,
      ],
    },
    ApiDeliveryId(),
    ApiAcceptedResponse({ type: DeliveryDto }),
  )

export const PingDocs = () =>
  ApiRoute(
    {
      summary: 'Send a test to a webhook endpoint',
      description:
        'An event of type `ping` is sent to this endpoint only, whatever it has subscribed to. Needs `webhooks:write`.',
      problems: [...TOKEN_PROBLEMS, PROBLEMS.noEndpoint, PROBLEMS.endpointNotEnabled],
    },
    ApiEndpointId(),
    ApiAcceptedResponse({ type: PingedDto }),
  )

export const ReplayDocs = () =>
  ApiRoute(
    {
      summary: 'Replay the notifications of a time range',
      description:
        'Sends the notifications that the endpoint has subscribed to and has not got: those that failed, and those that ' +
        'were not sent to it, because it was disabled or did not exist. With `delivered`, also the others. Pending ones ' +
        'follow their schedule. Needs `webhooks:write`.',
      problems: [
        ...BODY_PROBLEMS,
        ...TOKEN_PROBLEMS,
        PROBLEMS.noEndpoint,
        PROBLEMS.endpointNotEnabled,
        PROBLEMS.tooManyDeliveries,
      ],
    },
    ApiEndpointId(),
    ApiAcceptedResponse({ type: ReplayedDto }),
  )
