import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger'
import { IsIn, IsOptional, Matches } from 'class-validator'
import {
  ATTEMPT_CAUSES,
  ATTEMPT_STATE_NAMES,
  type AttemptCause,
  type AttemptState,
  type Attention,
  ATTENTIONS,
  RESOLVED_STATES,
  type ResolvedState,
} from '../attempts/states.js'
import { REFERENCE } from '../payments/payment.view.js'
import { type Status, STATUSES } from '../payments/transitions.js'
import { FAILURE_CODES, type FailureCode } from '../providers/failures.js'
import { MessageDto } from './messages.dto.js'

const ID = { type: String, format: 'uuid' } as const
const TIME = { type: String, format: 'date-time' } as const
const NULLABLE = { type: String, nullable: true } as const
const NULLABLE_TIME = { ...TIME, nullable: true } as const
const ATTENTION_NAMES = Object.keys(ATTENTIONS)
// The enum of a nullable property must include null.
const ATTENTION = { ...NULLABLE, enum: [...ATTENTION_NAMES, null] }
const FAILURE = { ...NULLABLE, enum: [...FAILURE_CODES, null] }

export class ListAttemptsDto {
  @ApiPropertyOptional({
    type: String,
    enum: ['true', 'false'],
    description: 'Whether an operator must look at the attempt',
  })
  @IsOptional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  attention?: 'true' | 'false'

  @ApiPropertyOptional({ type: String, example: 'mtn-ug' })
  @IsOptional()
  @Matches(/^[a-z][a-z\d-]{0,39}$/, { message: 'must be the name of an account' })
  account?: string

  @ApiPropertyOptional({ type: String, enum: ATTEMPT_STATE_NAMES })
  @IsOptional()
  @IsIn(ATTEMPT_STATE_NAMES, { message: `must be one of ${ATTEMPT_STATE_NAMES.join(', ')}` })
  state?: AttemptState

  @ApiPropertyOptional({
    type: String,
    description: 'The reference of the payment',
    example: 'PAY-019aa0a0-0000-7000-8000-000000000000',
  })
  @IsOptional()
  @Matches(REFERENCE, { message: 'must be the reference of a payment' })
  payment?: string

  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

class AttemptPaymentDto {
  @ApiProperty({ type: String, example: 'PAY-019aa0a0-0000-7000-8000-000000000000' })
  reference: string

  @ApiProperty({ ...ID, description: 'The user that created the payment' })
  owner: string

  @ApiProperty({ type: String, enum: STATUSES })
  status: Status

  @ApiProperty({ type: String, example: '5000' })
  amount: string

  @ApiProperty({ type: String, example: 'UGX' })
  currency: string
}

export class AttemptDto {
  @ApiProperty(ID)
  id: string

  @ApiProperty({ type: AttemptPaymentDto })
  payment: AttemptPaymentDto

  @ApiProperty({ type: String, example: 'mtn-ug' })
  account: string

  @ApiProperty({
    type: String,
    description: 'The reference under which the provider has the charge',
  })
  reference: string

  @ApiProperty({ type: String, enum: ATTEMPT_STATE_NAMES })
  state: AttemptState

  @ApiProperty(NULLABLE)
  providerReference: string | null

  @ApiProperty(NULLABLE)
  providerTransactionId: string | null

  @ApiProperty(FAILURE)
  failure: FailureCode | null

  @ApiProperty(NULLABLE)
  providerCode: string | null

  @ApiProperty({ ...ATTENTION, description: 'Why an operator must look at the attempt' })
  attention: Attention | null

  @ApiProperty(NULLABLE_TIME)
  attentionAt: string | null

  @ApiProperty({ ...TIME, description: 'The request for money is not sent after this time' })
  sendUntil: string

  @ApiProperty(NULLABLE_TIME)
  sentAt: string | null

  @ApiProperty(NULLABLE_TIME)
  closedAt: string | null

  @ApiProperty({
    ...NULLABLE,
    enum: [...ATTEMPT_CAUSES, null],
    description: 'What ended the attempt; `operator` if a person did',
  })
  closedCause: AttemptCause | null

  @ApiProperty(NULLABLE_TIME)
  lateSuccessAt: string | null

  @ApiProperty(TIME)
  createdAt: string

  @ApiProperty(TIME)
  updatedAt: string

  @ApiProperty({ type: 'integer', minimum: 1 })
  version: number
}

export class AttemptPageDto {
  @ApiProperty({ type: [AttemptDto], description: 'Newest first' })
  data: AttemptDto[]

  @ApiProperty({ ...NULLABLE, description: 'null on the last page' })
  nextCursor: string | null
}

class AttemptEventDto {
  @ApiProperty({ type: String, enum: ATTEMPT_STATE_NAMES })
  from: AttemptState

  @ApiProperty({ type: String, enum: ATTEMPT_STATE_NAMES })
  to: AttemptState

  @ApiProperty(TIME)
  at: string

  @ApiProperty({ type: String, enum: ATTEMPT_CAUSES })
  cause: AttemptCause

  @ApiProperty({ type: String, description: 'The account, or the id of an operator' })
  actor: string

  @ApiProperty(NULLABLE)
  reason: string | null

  @ApiProperty({ ...ID, nullable: true, description: 'The id of a message' })
  evidence: string | null

  @ApiProperty({ type: 'integer', minimum: 1 })
  version: number
}

/** In OpenAPI 3.0, a schema with a name can't be null. */
const WORK: ApiPropertyOptions = {
  type: 'object',
  nullable: true,
  description: 'The next call',
  required: ['call', 'dueAt', 'isUnderWay', 'tries', 'misses'],
  properties: {
    call: { type: 'string', enum: ['send', 'query'] },
    dueAt: {
      type: 'string',
      format: 'date-time',
      nullable: true,
      description:
        'When the call is due, or the lease of one under way ends; null if none is scheduled',
    },
    isUnderWay: { type: 'boolean' },
    tries: { type: 'integer', description: 'Calls of this kind so far' },
    misses: { type: 'integer', description: 'Queries in a row that did not find the charge' },
  },
}

export class ProposalDto {
  @ApiProperty(ID)
  id: string

  @ApiProperty(ID)
  attempt: string

  @ApiProperty({
    type: 'integer',
    description:
      'The version of the attempt for which the proposal holds: it is void for any other',
  })
  attemptVersion: number

  @ApiProperty({ ...ID, description: 'An operator, who can’t confirm it' })
  proposedBy: string

  @ApiProperty({ ...NULLABLE, enum: [...RESOLVED_STATES, null] })
  outcome: ResolvedState | null

  @ApiProperty(NULLABLE)
  transactionId: string | null

  @ApiProperty(FAILURE)
  failure: FailureCode | null

  @ApiProperty({ type: String })
  reason: string

  @ApiProperty(NULLABLE)
  evidence: string | null

  @ApiProperty(TIME)
  createdAt: string

  @ApiProperty(TIME)
  expiresAt: string
}

export class AttemptDetailDto extends AttemptDto {
  @ApiProperty({ type: [AttemptEventDto], description: 'The newest 200, oldest first' })
  events: AttemptEventDto[]

  @ApiProperty(WORK)
  work: object | null

  @ApiProperty({ type: [MessageDto], description: 'The newest 100, newest first' })
  messages: MessageDto[]

  @ApiProperty({ type: [ProposalDto], description: 'The newest 20 that are open, newest first' })
  proposals: ProposalDto[]
}
