import { ApiProperty } from '@nestjs/swagger'
import { type EventType, SENT_TYPES } from '../notifications/events.js'
import { DELIVERY_STATES, type DeliveryState } from '../deliveries/states.js'

const ID = { type: String, format: 'uuid' } as const
const EVENT = {
  type: String,
  description: 'The `webhook-id` of every try',
  example: 'evt_019aa0a000007000800000000000000a',
} as const
const TYPE = { type: String, enum: SENT_TYPES, example: 'payment.succeeded' } as const
const SUBJECT = {
  type: String,
  description: 'The reference of the payment, or the id of an endpoint',
  example: 'PAY-019aa0a0-0000-7000-8000-000000000000',
} as const
const STATE = {
  type: String,
  enum: DELIVERY_STATES,
  description:
    '`pending`: it will be tried, or tried again. `delivered`: by a 2xx. `failed`: after the last try, or by 410. `cancelled`: the endpoint was deleted',
} as const
const TIME = { type: String, format: 'date-time' } as const
const NULLABLE_TIME = { ...TIME, nullable: true } as const
const STATUS = {
  type: 'integer',
  nullable: true,
  description: 'The HTTP status; null without a response',
  example: 500,
} as const
const ERROR = {
  type: String,
  nullable: true,
  description:
    'Why there was no response, such as `dns`, `connect`, `tls`, `timeout`, `reset`, `forbidden_address`; null with one',
  example: null,
} as const
const NEXT_CURSOR = { type: String, nullable: true, description: 'null on the last page' } as const

class DeliverySummaryDto {
  @ApiProperty(ID)
  id: string

  @ApiProperty({ ...ID, description: 'Id of the endpoint' })
  endpoint: string

  @ApiProperty(STATE)
  state: DeliveryState

  @ApiProperty({ type: 'integer', minimum: 0, description: 'The number of tries', example: 3 })
  tries: number

  @ApiProperty({ ...STATUS, description: 'Of the last try; null without a response' })
  lastStatus: number | null

  @ApiProperty({ ...ERROR, description: 'Of the last try; null with a response' })
  lastError: string | null
}

export class DeliveryDto extends DeliverySummaryDto {
  @ApiProperty(EVENT)
  event: string

  @ApiProperty(TYPE)
  type: EventType

  @ApiProperty(SUBJECT)
  subject: string

  @ApiProperty({
    ...NULLABLE_TIME,
    description: 'null if there is no further try, or one is under way',
  })
  nextTryAt: string | null

  @ApiProperty(TIME)
  createdAt: string

  @ApiProperty({ ...NULLABLE_TIME, description: 'The first try with a 2xx' })
  deliveredAt: string | null

  @ApiProperty({ ...NULLABLE_TIME, description: 'When the delivery failed or was cancelled' })
  failedAt: string | null
}

export class DeliveryPageDto {
  @ApiProperty({ type: [DeliveryDto] })
  data: DeliveryDto[]

  @ApiProperty(NEXT_CURSOR)
  nextCursor: string | null
}

class NotificationDto {
  @ApiProperty(EVENT)
  id: string

  @ApiProperty(TYPE)
  type: EventType

  @ApiProperty(SUBJECT)
  subject: string

  @ApiProperty({
    type: 'integer',
    minimum: 1,
    description: 'The version of the subject after the event',
    example: 3,
  })
  version: number

  @ApiProperty({ ...TIME, description: 'When the event occurred' })
  createdAt: string
}

export class ListedNotificationDto extends NotificationDto {
  @ApiProperty({
    type: [DeliverySummaryDto],
    description: 'To your endpoints; empty if none had subscribed to it',
  })
  deliveries: DeliverySummaryDto[]
}

export class NotificationPageDto {
  @ApiProperty({ type: [ListedNotificationDto] })
  data: ListedNotificationDto[]

  @ApiProperty(NEXT_CURSOR)
  nextCursor: string | null
}

class NotificationBodyDto extends NotificationDto {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The body of every try, as signed; null before the first one',
    example: '{"type":"payment.succeeded","timestamp":"2026-12-01T08:00:00.000Z","data":{}}',
  })
  body: string | null
}

class TryDto {
  @ApiProperty({ ...TIME, description: 'When the try began' })
  at: string

  @ApiProperty({ type: 'integer', minimum: 0, description: 'In milliseconds', example: 84 })
  tookMs: number

  @ApiProperty(STATUS)
  status: number | null

  @ApiProperty(ERROR)
  error: string | null

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The first 512 characters of the response’s body',
    example: 'upstream connect error',
  })
  answer: string | null
}

export class DeliveryDetailDto extends DeliveryDto {
  @ApiProperty({ type: NotificationBodyDto })
  notification: NotificationBodyDto

  @ApiProperty({ type: [TryDto], description: 'Every try, oldest first' })
  log: TryDto[]
}

export class PingedDto {
  @ApiProperty(EVENT)
  event: string

  @ApiProperty({ ...ID, description: 'The delivery, whose log shows the result' })
  delivery: string
}

export class ReplayedDto {
  @ApiProperty({
    type: 'integer',
    minimum: 0,
    maximum: 10_000,
    description: 'How many deliveries are due now',
    example: 42,
  })
  deliveries: number
}
