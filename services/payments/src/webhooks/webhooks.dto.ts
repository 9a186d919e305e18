import { AllowUnknownFields } from '@malipo/kit/http/validation'
import { ApiProperty } from '@nestjs/swagger'
import { IsIn, IsISO8601, IsOptional, IsString, Length } from 'class-validator'
import { type Status, STATUSES } from '../payments/transitions.js'

/** The fields that the service uses. A provider may add others, which are stored with the webhook. */
@AllowUnknownFields()
export class WebhookDto {
  @ApiProperty({
    type: String,
    nullable: true,
    required: false,
    description: 'Required without a signature; with one, empty or equal to `webhook-id`',
    maxLength: 255,
    example: 'evt-1',
  })
  @IsOptional()
  @IsString({ message: 'must be a string' })
  @Length(1, 255, { message: 'must be 1 to 255 characters' })
  webhookId?: string | null

  @ApiProperty({ type: String, example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })
  @IsString({ message: 'must be a string' })
  @Length(1, 100, { message: 'must be 1 to 100 characters' })
  reference: string

  @ApiProperty({ enum: STATUSES, example: 'SUCCESS' })
  @IsIn(STATUSES, { message: `must be one of ${STATUSES.join(', ')}` })
  status: Status

  @ApiProperty({ type: String, maxLength: 128, example: 'MP240101.1200.A1' })
  @IsString({ message: 'must be a string' })
  @Length(1, 128, { message: 'must be 1 to 128 characters' })
  providerTransactionId: string

  @ApiProperty({ type: String, format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  @IsISO8601(
    { strict: true },
    { message: 'must be an ISO 8601 time, such as 2026-01-31T12:00:00Z' },
  )
  timestamp: string
}
