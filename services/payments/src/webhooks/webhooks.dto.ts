import { IsTime } from '@malipo/kit/http/time'
import { AllowUnknownFields } from '@malipo/kit/http/validation'
import { ApiProperty } from '@nestjs/swagger'
import { IsIn, IsObject, IsOptional, ValidateIf } from 'class-validator'
import { IsAmount, IsStoredCurrency, IsText } from '../payments/payments.rules.js'
import { type Status, STATUSES } from '../payments/transitions.js'

export class WebhookFailureDto {
  @ApiProperty({ description: 'One of the failures of a payment', example: 'payer_rejected' })
  code: string
}

/** The fields that the service uses. A provider may add any others: the body is stored as received. */
@AllowUnknownFields()
export class WebhookDto {
  @ApiProperty({
    type: String,
    nullable: true,
    required: false,
    description:
      'Required without a signature. With a signature, it must be empty or equal to `webhook-id`',
    maxLength: 255,
    example: 'evt-1',
  })
  @IsOptional()
  @IsText(255)
  webhookId?: string | null

  @ApiProperty({ example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })
  @IsText(100)
  reference: string

  @ApiProperty({ enum: STATUSES, example: 'SUCCESS' })
  @IsIn(STATUSES, { message: `must be one of ${STATUSES.join(', ')}` })
  status: Status

  @ApiProperty({ maxLength: 128, example: 'MP240101.1200.A1' })
  @IsText(128)
  providerTransactionId: string

  @ApiProperty({
    oneOf: [{ type: 'string' }, { type: 'number' }],
    required: false,
    description:
      'In major units. Compared with that of the payment; required with a signature in live',
    example: '5000',
  })
  @ValidateIf((body: WebhookDto) => body.amount !== undefined || body.currency !== undefined)
  @IsAmount()
  amount?: string | number

  @ApiProperty({ required: false, description: 'As `amount`', example: 'UGX' })
  @ValidateIf((body: WebhookDto) => body.amount !== undefined || body.currency !== undefined)
  @IsStoredCurrency()
  currency?: string

  @ApiProperty({
    required: false,
    type: WebhookFailureDto,
    description: 'With `FAILED`, from the provider of an account',
  })
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  failure?: WebhookFailureDto

  @ApiProperty({
    format: 'date-time',
    description: 'RFC 3339: when the status changed at the provider',
    example: '2026-01-31T12:00:00.000Z',
  })
  @IsTime()
  timestamp: string
}
