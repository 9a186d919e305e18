import { IsContactEmail, IsPhone } from '@malipo/kit/http/contact'
import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { RestorePlus } from '@malipo/kit/http/query-plus'
import { IsTime } from '@malipo/kit/http/time'
import { WholeNumber } from '@malipo/kit/http/whole-number'
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger'
import { IsIn, IsOptional, IsString, Matches, MaxLength } from 'class-validator'
import { ISO_4217_PUBLISHED } from '../money/currencies.js'
import { PAYMENT_METHODS, type PaymentMethod } from '../money/payment-methods.js'
import { IsAmount, IsCurrency, IsMetadata, IsStoredCurrency, IsText } from './payments.rules.js'
import { FAILURE_CODES } from '../providers/failures.js'
import { CAUSES, type Cause } from './payment-event.entity.js'
import { type Status, STATUSES } from './transitions.js'

const PHONE = '+256772123456'
const NULLABLE = { type: String, nullable: true } as const
const OPTIONAL = { ...NULLABLE, required: false } as const

const FAILURE: ApiPropertyOptions = {
  description: 'Why the payment failed, if an attempt at a provider failed',
  type: 'object',
  nullable: true,
  required: ['code', 'message', 'providerCode'],
  properties: {
    code: { type: 'string', enum: FAILURE_CODES },
    message: { type: 'string', example: 'The payer rejected the payment.' },
    providerCode: { type: 'string', nullable: true, example: 'APPROVAL_REJECTED' },
  },
}

const LATE_SUCCESS: ApiPropertyOptions = {
  description: 'A success that the provider reported after the payment had failed',
  type: 'object',
  nullable: true,
  required: ['amount', 'providerTransactionId', 'at'],
  properties: {
    amount: { type: 'string', example: '5000' },
    providerTransactionId: { type: 'string', nullable: true },
    at: { type: 'string', format: 'date-time' },
  },
}

export class CreatePaymentDto {
  @ApiProperty({
    oneOf: [{ type: 'string' }, { type: 'number' }],
    description:
      'In major units, with no more decimals than the currency has. The digits are read as sent, never rounded',
    example: 5000,
  })
  @IsAmount()
  amount: string | number

  @ApiProperty({
    description: `A current currency of ISO 4217 as published on ${ISO_4217_PUBLISHED}; no fund code or unit of account`,
    example: 'UGX',
  })
  @IsCurrency()
  currency: string

  @ApiProperty({ enum: PAYMENT_METHODS, example: 'MOBILE_MONEY' })
  @IsIn(PAYMENT_METHODS, { message: `must be one of ${PAYMENT_METHODS.join(', ')}` })
  paymentMethod: PaymentMethod

  @ApiProperty({ description: 'International or national form', example: PHONE })
  @IsPhone()
  customerPhone: string

  @ApiProperty({ format: 'email', example: 'amina@example.com' })
  @IsContactEmail()
  customerEmail: string

  @ApiProperty({ ...OPTIONAL, maxLength: 500, example: 'Order 17' })
  @IsOptional()
  @IsString({ message: 'must be a string' })
  @MaxLength(500, { message: 'must be at most 500 characters' })
  description?: string | null

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    nullable: true,
    description: 'Up to 20 keys of up to 40 characters each; values of up to 500 characters',
    example: { order: '17' },
  })
  @IsOptional()
  @IsMetadata()
  metadata?: Record<string, string> | null

  @ApiProperty({
    ...OPTIONAL,
    description:
      'One of your provider accounts; `route` chooses one; with `manual`, nothing is sent. By default that of the installation',
    example: 'manual',
  })
  @IsOptional()
  @Matches(/^[a-z][a-z\d-]{0,39}$/, { message: 'must be manual, route, or one of your accounts' })
  provider?: string | null
}

export class ChangeStatusDto {
  @ApiProperty({ enum: STATUSES, example: 'PENDING' })
  @IsIn(STATUSES, { message: `must be one of ${STATUSES.join(', ')}` })
  status: Status

  @ApiProperty({ ...OPTIONAL, maxLength: 128, example: 'MP240101.1200.A1' })
  @IsOptional()
  @IsText(128)
  providerTransactionId?: string | null

  @ApiProperty({
    ...OPTIONAL,
    maxLength: 500,
    description: 'Stored with the event. Required from an operator without `payments:settle`',
  })
  @IsOptional()
  @IsText(500)
  reason?: string | null
}

export class GetPaymentDto {
  @WholeNumber({
    minimum: 1,
    maximum: 30,
    description:
      'Seconds for which the response is held: until the payment has another version than those in `If-None-Match`, or without that header until its status is final',
  })
  @IsOptional()
  wait?: number
}

export class ListPaymentsDto {
  @ApiProperty({ enum: STATUSES, required: false })
  @IsOptional()
  @IsIn(STATUSES, { message: `must be one of ${STATUSES.join(', ')}` })
  status?: Status

  @ApiProperty({ required: false, description: 'Current or withdrawn', example: 'UGX' })
  @IsOptional()
  @IsStoredCurrency()
  currency?: string

  @ApiProperty({ enum: PAYMENT_METHODS, required: false })
  @IsOptional()
  @IsIn(PAYMENT_METHODS, { message: `must be one of ${PAYMENT_METHODS.join(', ')}` })
  paymentMethod?: PaymentMethod

  @ApiProperty({ required: false, example: PHONE })
  @IsOptional()
  @IsPhone()
  @RestorePlus()
  customerPhone?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'Created at or after this time' })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  createdFrom?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'Created before this time' })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  createdTo?: string

  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

export class PaymentDto {
  @ApiProperty({ format: 'uuid' })
  id: string

  @ApiProperty({ example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })
  reference: string

  @ApiProperty({
    description: 'A decimal string with exactly as many decimal places as the currency has',
    example: '5000',
  })
  amount: string

  @ApiProperty({ example: 'UGX' })
  currency: string

  @ApiProperty({ enum: PAYMENT_METHODS })
  paymentMethod: PaymentMethod

  @ApiProperty({ example: PHONE })
  customerPhone: string

  @ApiProperty({ format: 'email' })
  customerEmail: string

  @ApiProperty(NULLABLE)
  description: string | null

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  metadata: Record<string, string>

  @ApiProperty({ enum: STATUSES })
  status: Status

  @ApiProperty(FAILURE)
  failure: object | null

  @ApiProperty(LATE_SUCCESS)
  lateSuccess: object | null

  @ApiProperty({ description: 'The provider account, or `manual`', example: 'manual' })
  provider: string

  @ApiProperty({ description: 'Whether an operator must look at the payment' })
  needsAttention: boolean

  @ApiProperty({
    description: 'Whether the payment succeeded without a statement of its amount by the provider',
  })
  amountUnverified: boolean

  @ApiProperty({
    ...NULLABLE,
    description:
      'The provider of the account, or the sender of the webhook that changed the status',
    example: 'mtn-momo',
  })
  providerName: string | null

  @ApiProperty(NULLABLE)
  providerTransactionId: string | null

  @ApiProperty(NULLABLE)
  lastWebhookId: string | null

  @ApiProperty({ ...NULLABLE, format: 'date-time' })
  lastWebhookAt: string | null

  @ApiProperty({ format: 'date-time' })
  createdAt: string

  @ApiProperty({ format: 'date-time' })
  updatedAt: string

  @ApiProperty({
    type: 'integer',
    description: 'Increases by 1 with each event; the `ETag`',
    minimum: 1,
  })
  version: number
}

export class PaymentPageDto {
  @ApiProperty({ type: [PaymentDto] })
  data: PaymentDto[]

  @ApiProperty({ ...NULLABLE, description: 'null on the last page' })
  nextCursor: string | null
}

export class PaymentEventDto {
  // The enum of a nullable property must include null.
  @ApiProperty({ ...NULLABLE, enum: [...STATUSES, null] })
  from: Status | null

  @ApiProperty({ enum: STATUSES })
  to: Status

  @ApiProperty({ format: 'date-time' })
  at: string

  @ApiProperty({ description: 'A user’s id or a provider’s name' })
  actor: string

  @ApiProperty({ enum: CAUSES })
  cause: Cause

  @ApiProperty(NULLABLE)
  webhookId: string | null

  @ApiProperty({ ...NULLABLE, format: 'uuid', description: 'The stored message of the provider' })
  evidence: string | null

  @ApiProperty(NULLABLE)
  reason: string | null
}

export class PaymentEventsDto {
  @ApiProperty({ type: [PaymentEventDto] })
  data: PaymentEventDto[]
}
