import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { IsIn, IsOptional, IsUUID, Matches } from 'class-validator'
import {
  MESSAGE_KINDS,
  MESSAGE_VERDICTS,
  type MessageKind,
  type MessageVerdict,
} from '../messages/message-insert.js'
import { MESSAGE_OUTCOMES, type MessageOutcome } from './message.view.js'
import { RESULTS, type ReplayResult } from './replay-result.js'

const ID = { type: String, format: 'uuid' } as const
const TIME = { type: String, format: 'date-time' } as const
const NULLABLE = { type: String, nullable: true } as const
const NULLABLE_ID = { ...ID, nullable: true } as const

export class ListMessagesDto {
  @ApiPropertyOptional({ type: String, enum: MESSAGE_OUTCOMES })
  @IsOptional()
  @IsIn(MESSAGE_OUTCOMES, { message: `must be one of ${MESSAGE_OUTCOMES.join(', ')}` })
  outcome?: MessageOutcome

  @ApiPropertyOptional({ type: String, enum: MESSAGE_KINDS })
  @IsOptional()
  @IsIn(MESSAGE_KINDS, { message: `must be one of ${MESSAGE_KINDS.join(', ')}` })
  kind?: MessageKind

  @ApiPropertyOptional({ type: String, example: 'mtn-ug' })
  @IsOptional()
  @Matches(/^[a-z][a-z\d-]{0,39}$/, { message: 'must be the name of an account' })
  account?: string

  @ApiPropertyOptional(ID)
  @IsOptional()
  @IsUUID(undefined, { message: 'must be a UUID' })
  attempt?: string

  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

export class MessageDto {
  @ApiProperty(ID)
  id: string

  @ApiProperty({ ...NULLABLE, description: 'null if a user sent it', example: 'mtn-ug' })
  account: string | null

  @ApiProperty({ type: String, enum: MESSAGE_KINDS })
  kind: MessageKind

  @ApiProperty({
    type: String,
    enum: MESSAGE_VERDICTS,
    description: 'How its sender was authenticated when it arrived; it never changes',
  })
  verdict: MessageVerdict

  @ApiProperty(NULLABLE)
  keyId: string | null

  @ApiProperty(NULLABLE)
  webhookId: string | null

  @ApiProperty(NULLABLE_ID)
  attempt: string | null

  @ApiProperty({ ...NULLABLE, description: 'The reference of the payment' })
  payment: string | null

  @ApiProperty({ type: 'integer', nullable: true })
  httpStatus: number | null

  @ApiProperty({ type: String, enum: MESSAGE_OUTCOMES })
  outcome: MessageOutcome

  @ApiProperty({ type: 'integer', description: 'How often the same bytes were received' })
  times: number

  @ApiProperty({ type: 'integer', description: 'Of the body, in bytes' })
  size: number

  @ApiProperty(TIME)
  receivedAt: string

  @ApiProperty(TIME)
  lastAt: string

  @ApiProperty({
    ...TIME,
    nullable: true,
    description: 'When the body was replaced, because the data of its payer was erased',
  })
  erasedAt: string | null
}

export class MessageContentDto extends MessageDto {
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  headers: Record<string, string>

  @ApiProperty({ type: String, format: 'byte', description: 'As received, in base64' })
  body: string

  @ApiProperty({ type: String, description: 'SHA-256 of the body, hexadecimal' })
  bodyHash: string

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description: 'What the service understood when the message arrived',
  })
  reading: Record<string, unknown> | null

  @ApiProperty({ ...TIME, nullable: true, description: 'The time that the sender states' })
  occurredAt: string | null
}

export class MessagePageDto {
  @ApiProperty({ type: [MessageDto], description: 'Newest first' })
  data: MessageDto[]

  @ApiProperty({ ...NULLABLE, description: 'null on the last page' })
  nextCursor: string | null
}

export class ReplayDto {
  @ApiProperty({
    type: String,
    enum: RESULTS,
    description:
      '`query`: a query is due now. `parked`: no attempt is known. `ignored`: its signature is wrong. Otherwise the outcome of the reading',
  })
  result: ReplayResult

  @ApiProperty({ type: MessageDto })
  message: MessageDto
}
