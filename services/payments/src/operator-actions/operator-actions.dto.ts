import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { IsIn, IsOptional, IsUUID } from 'class-validator'
import { OPERATOR_ACTION_KINDS, type OperatorActionKind } from './operator-action.js'

const ID = { type: String, format: 'uuid' } as const
const NULLABLE_ID = { ...ID, nullable: true } as const
const NULLABLE = { type: String, nullable: true } as const

export class ListOperatorActionsDto {
  @ApiPropertyOptional({ ...ID, description: 'The id of the user' })
  @IsOptional()
  @IsUUID(undefined, { message: 'must be a UUID' })
  operator?: string

  @ApiPropertyOptional({ type: String, enum: OPERATOR_ACTION_KINDS })
  @IsOptional()
  @IsIn(OPERATOR_ACTION_KINDS, { message: `must be one of ${OPERATOR_ACTION_KINDS.join(', ')}` })
  action?: OperatorActionKind

  @ApiPropertyOptional(ID)
  @IsOptional()
  @IsUUID(undefined, { message: 'must be a UUID' })
  attempt?: string

  @PageLimit(50)
  limit = 50

  @PageCursor()
  cursor?: string
}

export class OperatorActionDto {
  @ApiProperty(ID)
  id: string

  @ApiProperty({ type: String, format: 'date-time' })
  at: string

  @ApiProperty({ ...ID, description: 'The id of the user' })
  operator: string

  @ApiProperty({ type: String, enum: OPERATOR_ACTION_KINDS })
  action: OperatorActionKind

  @ApiProperty(NULLABLE_ID)
  attempt: string | null

  @ApiProperty({ ...NULLABLE, description: 'The reference of the payment' })
  payment: string | null

  @ApiProperty(NULLABLE_ID)
  message: string | null

  @ApiProperty(NULLABLE_ID)
  proposal: string | null

  @ApiProperty(NULLABLE)
  reason: string | null

  @ApiProperty(NULLABLE)
  evidence: string | null

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'The content of a resolution, its result, or the filters of a list',
    example: { outcome: 'declined', failure: 'provider_error', result: 'applied' },
  })
  details: Record<string, unknown>
}

export class OperatorActionPageDto {
  @ApiProperty({ type: [OperatorActionDto], description: 'Newest first' })
  data: OperatorActionDto[]

  @ApiProperty({ ...NULLABLE, description: 'null on the last page' })
  nextCursor: string | null
}
