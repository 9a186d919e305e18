import type { Type } from '@nestjs/common'
import { ApiProperty } from '@nestjs/swagger'
import { PaymentDto } from '../payments/payments.dto.js'

/** The `data` of events about an endpoint. */
export class EndpointEventDto {
  @ApiProperty({ type: String, format: 'uuid' })
  id: string

  @ApiProperty({ type: String, format: 'uri', example: 'https://merchant.example/notifications' })
  url: string

  @ApiProperty({ type: String, enum: ['enabled', 'disabled'] })
  state: 'enabled' | 'disabled'

  @ApiProperty({
    type: String,
    enum: ['merchant', 'gone', 'failing', null],
    nullable: true,
    description: '`gone`: it answered 410. `failing`: it has failed for five days',
  })
  disabledReason: 'merchant' | 'gone' | 'failing' | null

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'The first failed try since the last 2xx',
  })
  failingSince: string | null
}

/** The `data` of a `ping`. */
export class PingDto {
  @ApiProperty({ type: String, format: 'uuid', description: 'Id of the endpoint' })
  endpoint: string
}

/** The classes of the `data` of all events. */
export const EVENT_MODELS: readonly Type[] = [PaymentDto, EndpointEventDto, PingDto]
