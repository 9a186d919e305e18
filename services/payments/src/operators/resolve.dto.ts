import { ApiProperty } from '@nestjs/swagger'
import { IsIn, IsInt, IsOptional, Matches, Max, Min } from 'class-validator'
import { type ResolvedState, RESOLVED_STATES } from '../attempts/states.js'
import { IsText } from '../payments/payments.rules.js'
import { FAILURE_CODES, type FailureCode } from '../providers/failures.js'

const OPTIONAL = { type: String, nullable: true, required: false } as const

/** The content of a resolution. A confirmation repeats it. */
export class ResolveDto {
  @ApiProperty({
    ...OPTIONAL,
    enum: [...RESOLVED_STATES, null],
    description: 'Without it, only the attention is cleared',
    example: 'declined',
  })
  @IsOptional()
  @IsIn(RESOLVED_STATES, { message: `must be one of ${RESOLVED_STATES.join(', ')}` })
  outcome?: ResolvedState | null

  @ApiProperty({
    type: String,
    minLength: 1,
    maxLength: 500,
    description: 'Stored with the events of the attempt and the payment, where its owner sees it',
    example: 'The provider’s support has found no charge.',
  })
  @IsText(500)
  reason: string

  @ApiProperty({
    ...OPTIONAL,
    maxLength: 1_000,
    description: 'Where the proof is. Required with an outcome; only operators see it',
    example: 'Ticket 4711 of 31 January',
  })
  @IsOptional()
  @IsText(1_000)
  evidence?: string | null

  @ApiProperty({
    ...OPTIONAL,
    maxLength: 128,
    description: 'The provider’s, required with `succeeded`, without white space at its ends',
    example: 'MP240101.1200.A1',
  })
  @IsOptional()
  @IsText(128)
  @Matches(/^\S(?:.*\S)?$/s, { message: 'must not begin or end with white space' })
  transactionId?: string | null

  @ApiProperty({
    ...OPTIONAL,
    enum: [...FAILURE_CODES, null],
    description: 'By default `provider_error` with `declined`, and `not_sent` with `not_sent`',
    example: 'payer_rejected',
  })
  @IsOptional()
  @IsIn(FAILURE_CODES, { message: `must be one of ${FAILURE_CODES.join(', ')}` })
  failure?: FailureCode | null

  @ApiProperty({
    type: 'integer',
    nullable: true,
    required: false,
    minimum: 1,
    description: 'The version of the attempt that you have read: 409 if it has changed',
    example: 4,
  })
  @IsOptional()
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be at least 1' })
  @Max(2 ** 31 - 1, { message: 'must be a version' })
  version?: number | null
}
