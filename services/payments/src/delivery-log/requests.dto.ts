import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { RestorePlus } from '@malipo/kit/http/query-plus'
import { IsTime } from '@malipo/kit/http/time'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsOptional,
  Matches,
  ValidateIf,
} from 'class-validator'
import { type EventType, NOTIFIED_TYPES, SENT_TYPES } from '../notifications/events.js'
import { REFERENCE } from '../payments/payment.view.js'
import { DELIVERY_STATES, type DeliveryState } from '../deliveries/states.js'

const TIME = { type: String, format: 'date-time' } as const

export class ListDeliveriesDto {
  @ApiPropertyOptional({ type: String, enum: DELIVERY_STATES })
  @IsOptional()
  @IsIn(DELIVERY_STATES, { message: `must be one of ${DELIVERY_STATES.join(', ')}` })
  state?: DeliveryState

  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

export class ListNotificationsDto {
  @ApiPropertyOptional({ type: String, enum: SENT_TYPES })
  @IsOptional()
  @IsIn(SENT_TYPES, { message: `must be one of ${SENT_TYPES.join(', ')}` })
  type?: EventType

  @ApiPropertyOptional({
    type: String,
    description: 'The reference of a payment',
    example: 'PAY-019aa0a0-0000-7000-8000-000000000000',
  })
  @IsOptional()
  @Matches(REFERENCE, { message: 'must be the reference of a payment' })
  payment?: string

  @ApiPropertyOptional({ ...TIME, description: 'Events at or after this time' })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  createdFrom?: string

  @ApiPropertyOptional({ ...TIME, description: 'Events before this time' })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  createdTo?: string

  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

/** An absent field has its default. Unlike with `IsOptional`, null is rejected. */
const IfGiven = () => ValidateIf((_, value) => value !== undefined)

export class ReplayNotificationsDto {
  @ApiProperty({
    ...TIME,
    description: 'Events at or after this time, at most 30 days ago',
    example: '2026-11-29T08:00:00Z',
  })
  @IsTime()
  from: string

  @ApiProperty({
    ...TIME,
    description: 'Events before this time',
    example: '2026-11-29T20:00:00Z',
  })
  @IsTime()
  to: string

  @ApiPropertyOptional({
    type: String,
    enum: NOTIFIED_TYPES,
    isArray: true,
    minItems: 1,
    maxItems: NOTIFIED_TYPES.length,
    description: 'Of those that the endpoint has subscribed to; by default all of them',
    example: ['payment.succeeded', 'payment.failed'],
  })
  @IfGiven()
  @IsIn(NOTIFIED_TYPES, {
    each: true,
    message: `must contain only ${NOTIFIED_TYPES.join(', ')}`,
  })
  @ArrayMaxSize(NOTIFIED_TYPES.length, {
    message: `must have at most ${NOTIFIED_TYPES.length} names`,
  })
  @ArrayMinSize(1, { message: 'must have at least one name' })
  @IsArray({ message: 'must be a list' })
  types?: string[]

  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    description: 'Whether notifications that were delivered are sent again',
  })
  @IsBoolean({ message: 'must be true or false' })
  delivered = false
}
