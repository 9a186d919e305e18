import { IsTime } from '@malipo/kit/http/time'
import { Normalise } from '@malipo/kit/http/validation'
import { applyDecorators } from '@nestjs/common'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsInt,
  IsOptional,
  IsString,
  Max,
  Min,
  ValidateBy,
} from 'class-validator'
import { IsGivenPassword } from '../passwords/password.js'
import { KEY_CAUSES, type KeyCause } from './api-key.entity.js'

const ID = { type: String, format: 'uuid', example: '5a1c0f3e-77d0-8b64-9d42-0242ac120002' }
const USER_ID = { type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' }
const TIME = { type: String, format: 'date-time', example: '2026-12-01T09:30:00.000Z' }
const SCOPES = {
  type: [String] as [StringConstructor],
  example: ['payments:read', 'payments:write'],
}

/** The longest overlap of a rotation: 7 days. */
const MAX_OVERLAP_SECONDS = 604_800

const MAX_NAME_CHARACTERS = 100

/** Counts code points, as PostgreSQL does. */
const IsKeyName = () =>
  ValidateBy({
    name: 'isKeyName',
    validator: {
      validate: (value) => {
        const characters = typeof value === 'string' ? Array.from(value).length : 0
        return characters >= 1 && characters <= MAX_NAME_CHARACTERS
      },
      defaultMessage: () => `must have 1 to ${MAX_NAME_CHARACTERS} characters`,
    },
  })

const CurrentPassword = () =>
  applyDecorators(
    ApiPropertyOptional({
      type: String,
      format: 'password',
      nullable: true,
      description: 'Needed unless the session was opened within the last 5 minutes',
      example: 'matooke with groundnut sauce',
    }),
    IsOptional(),
    IsGivenPassword(),
  )

const ExpiresAt = (fallback: string) =>
  applyDecorators(
    ApiPropertyOptional({
      ...TIME,
      nullable: true,
      description: `In the future; in \`live\` at most 365 days away. ${fallback}`,
    }),
    IsOptional(),
    IsTime(),
  )

export class CreateKeyDto {
  @ApiProperty({
    type: String,
    minLength: 1,
    maxLength: MAX_NAME_CHARACTERS,
    description: 'For people, such as the name of the server that has the key',
    example: 'shop server',
  })
  @Normalise((value) => (typeof value === 'string' ? value.trim() : value))
  @IsKeyName()
  name: string

  @ApiProperty({
    ...SCOPES,
    description: 'Scopes that you have, except those of operators',
  })
  @IsArray({ message: 'must be a list' })
  @ArrayMinSize(1, { message: 'must have at least one scope' })
  @ArrayMaxSize(20, { message: 'must have at most 20 scopes' })
  @IsString({ each: true, message: 'must be a list of strings' })
  scopes: string[]

  @ExpiresAt('In `live`, 365 days from now by default; in `sandbox`, never')
  expiresAt?: string | null

  @CurrentPassword()
  currentPassword?: string | null
}

export class RotateKeyDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_OVERLAP_SECONDS,
    default: 86_400,
    description:
      'How long the replaced key stays valid; 0 revokes it at once. Ignored during an overlap',
  })
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be at least 0' })
  @Max(MAX_OVERLAP_SECONDS, { message: `must be at most ${MAX_OVERLAP_SECONDS}` })
  overlapSeconds = 86_400

  @ExpiresAt('By default, the lifetime of the replaced key')
  expiresAt?: string | null

  @CurrentPassword()
  currentPassword?: string | null
}

export class KeyDto {
  @ApiProperty({ ...ID, description: 'Also the `sid` of the key' })
  id: string

  @ApiProperty({ type: String, example: 'shop server' })
  name: string

  @ApiProperty({
    type: String,
    description: 'The prefix, and the first and last four characters',
    example: 'mlp_live_Ab3d…9kQ2',
  })
  hint: string

  @ApiProperty(SCOPES)
  scopes: string[]

  @ApiProperty({
    ...ID,
    nullable: true,
    description: 'The key that a rotation replaced with this one',
  })
  replaces: string | null

  @ApiProperty({ ...USER_ID, description: 'User who created the key' })
  createdBy: string

  @ApiProperty(TIME)
  createdAt: string

  @ApiProperty({ ...TIME, nullable: true, description: 'null: the key does not expire' })
  expiresAt: string | null

  @ApiProperty({
    ...TIME,
    nullable: true,
    description: 'When the key was replaced; it stays valid until `expiresAt`',
  })
  rotatedAt: string | null

  @ApiProperty({ ...TIME, nullable: true, description: 'To the minute, a few minutes late' })
  lastUsedAt: string | null

  @ApiProperty({ ...TIME, nullable: true })
  revokedAt: string | null

  @ApiProperty({
    type: String,
    enum: [...KEY_CAUSES, null],
    nullable: true,
    description: 'null if not revoked, or revoked directly in the database',
  })
  revocationCause: KeyCause | null
}

export class NewKeyDto extends KeyDto {
  @ApiProperty({
    type: String,
    description: 'The secret, shown only in this response. Send it as `Authorization: Bearer`',
    example: 'mlp_live_…',
  })
  key: string
}

export class KeysDto {
  @ApiProperty({
    type: [KeyDto],
    description:
      'Usable keys, then those that ended within 30 days; newest first, at most 100 in all',
  })
  data: KeyDto[]
}

/** What `/validate` returns of a key. */
export class KeyPayloadDto {
  @ApiProperty({ type: String, enum: ['key'] })
  kind: 'key'

  @ApiProperty({ ...USER_ID, description: 'Merchant id' })
  sub: string

  @ApiProperty({ ...USER_ID, description: 'Merchant id' })
  merchant: string

  @ApiProperty({ ...ID, description: 'Key id' })
  sid: string

  @ApiProperty({
    type: String,
    description: 'Scopes of the key that the merchant has now, separated by spaces',
    example: 'payments:read payments:write',
  })
  scope: string

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Time of expiry, Unix seconds; null: the key does not expire',
    example: 1798709400,
  })
  exp: number | null
}
