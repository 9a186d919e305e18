import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { RestorePlus } from '@malipo/kit/http/query-plus'
import { IsTime } from '@malipo/kit/http/time'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { IsIn, IsOptional } from 'class-validator'
import { PAYMENT_EVENT_TYPES, type PaymentEventType } from '../notifications/events.js'
import { PaymentDto } from '../payments/payments.dto.js'

export const ALL_TYPES = 'payment.*'
const TYPES = [ALL_TYPES, ...PAYMENT_EVENT_TYPES]

export class EventFeedQueryDto {
  @ApiPropertyOptional({ type: String, enum: TYPES })
  @IsOptional()
  @IsIn(TYPES, { message: `must be one of ${TYPES.join(', ')}` })
  type?: PaymentEventType | typeof ALL_TYPES

  @ApiPropertyOptional({
    format: 'date-time',
    description:
      'Events at or after this time. Without `cursor`, reading starts there, but not more than 30 days ago',
  })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  createdFrom?: string

  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

export class FeedEventDto {
  @ApiProperty({
    type: String,
    pattern: '^evt_[0-9a-f]{32}$',
    description: 'The `webhook-id` of its notification',
    example: 'evt_019aa0a0000070008000000000000000',
  })
  id: string

  @ApiProperty({ type: String, enum: PAYMENT_EVENT_TYPES, example: 'payment.succeeded' })
  type: PaymentEventType

  @ApiProperty({ type: String, format: 'date-time', description: 'When the event occurred' })
  timestamp: string

  @ApiProperty({ type: PaymentDto, description: 'The payment as of this event' })
  data: PaymentDto
}

export class FeedPageDto {
  @ApiProperty({ type: [FeedEventDto], description: 'In the order of commits' })
  data: FeedEventDto[]

  @ApiProperty({
    type: String,
    description: 'Where to continue, also after an empty page',
    example: 'AZqgoAAAcACAAAAAAAAAAA',
  })
  nextCursor: string

  @ApiProperty({ description: 'Whether to read the next page at once. Otherwise poll later' })
  hasMore: boolean
}
