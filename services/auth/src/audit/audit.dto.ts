import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { RestorePlus } from '@malipo/kit/http/query-plus'
import { IsTime } from '@malipo/kit/http/time'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { IsIn, IsOptional, IsUUID } from 'class-validator'
import { type Kind, KINDS } from './audit-event.entity.js'

const ID = '019b76da-a800-7000-8000-0242ac120002'
const TIME = '2026-01-01T09:30:00.000Z'

export class AuditQueryDto {
  @ApiPropertyOptional({ type: String, enum: KINDS })
  @IsOptional()
  @IsIn(KINDS, { message: `must be one of ${KINDS.join(', ')}` })
  kind?: Kind

  @ApiPropertyOptional({
    type: String,
    description: 'Account that the event is about',
    example: ID,
  })
  @IsOptional()
  @IsUUID(undefined, { message: 'must be a UUID' })
  userId?: string

  @ApiPropertyOptional({ type: String, description: 'Events at or after this time', example: TIME })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  from?: string

  @ApiPropertyOptional({ type: String, description: 'Events before this time', example: TIME })
  @IsOptional()
  @IsTime()
  @RestorePlus()
  to?: string

  @PageLimit(50)
  limit = 50

  @PageCursor()
  cursor?: string
}

const OPTIONAL_ID = { type: String, format: 'uuid', nullable: true, example: ID }

export class AuditEventDto {
  @ApiProperty({ type: String, format: 'uuid', example: ID })
  id: string

  @ApiProperty({ type: String, format: 'date-time', example: TIME })
  at: string

  @ApiProperty({ type: String, enum: KINDS })
  kind: Kind

  @ApiProperty({ ...OPTIONAL_ID, description: 'Account; null if no account has the phone number' })
  userId: string | null

  @ApiProperty({
    ...OPTIONAL_ID,
    description: 'Actor; null if unknown, or if an operator ran a command',
  })
  actorId: string | null

  @ApiProperty(OPTIONAL_ID)
  sessionId: string | null

  @ApiProperty({ type: String, nullable: true, example: '203.0.113.7' })
  address: string | null

  @ApiProperty({ type: String, nullable: true, example: 'curl/8.5' })
  userAgent: string | null

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'For a revocation its `cause`; for a change of scopes the new `scopes` and the previous ones (`before`); ' +
      'for an event of an API key its id (`key`); for an erasure the pseudonym (`phone`)',
    example: { cause: 'logout' },
  })
  detail: Record<string, unknown>
}

export class AuditPageDto {
  @ApiProperty({ type: [AuditEventDto], description: 'Newest first' })
  data: AuditEventDto[]

  @ApiProperty({ type: String, nullable: true, description: 'null on the last page' })
  nextCursor: string | null
}
