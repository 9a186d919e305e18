import type { Type } from '@nestjs/common'
import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger'
import { PaymentDto } from '../payments/payments.dto.js'
import { EndpointEventDto, PingDto } from './event.dto.js'
import { EVENT_TYPES, type EventType, SENT_TYPES } from '../notifications/events.js'

/** The `webhooks` of the OpenAPI document: what endpoints receive. */

type Webhooks = NonNullable<OpenAPIObject['webhooks']>

const header = (name: string, description: string, example: string) => ({
  name,
  in: 'header' as const,
  required: true,
  description,
  schema: { type: 'string' as const, example },
})

const HEADERS = [
  header(
    'webhook-id',
    'The id of the event, the same for every try: receivers recognise duplicates by it',
    'evt_019aa0a000007000800000000000000a',
  ),
  header('webhook-timestamp', 'The time of the try, Unix seconds', '1796083200'),
  header(
    'webhook-signature',
    'A signature by each valid secret of the endpoint, separated by spaces (Standard Webhooks 1.0)',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ),
]

const RESPONSES = {
  '2XX': { description: 'Received. Any other response, or none within 20 s, is tried again' },
  410: { description: 'Disables the endpoint' },
}

function dataOf(type: EventType): Type {
  if (type === 'ping') return PingDto
  return type.startsWith('payment.') ? PaymentDto : EndpointEventDto
}

function webhookOf(type: EventType): Webhooks[string] {
  const schema = {
    type: 'object' as const,
    required: ['type', 'timestamp', 'data'],
    properties: {
      type: { type: 'string', enum: [type] },
      timestamp: { type: 'string', format: 'date-time', description: 'When the event occurred' },
      data: { $ref: getSchemaPath(dataOf(type)) },
    },
  }
  return {
    post: {
      operationId: `notify_${type.replace('.', '_')}`,
      tags: ['notifications'],
      summary: type,
      description: EVENT_TYPES[type].means,
      parameters: HEADERS,
      requestBody: { required: true, content: { 'application/json': { schema } } },
      responses: RESPONSES,
    },
  }
}

export const EVENT_WEBHOOKS: Webhooks = Object.fromEntries(
  SENT_TYPES.map((type) => [type, webhookOf(type)]),
)
