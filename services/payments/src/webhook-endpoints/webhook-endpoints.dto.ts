import { PageCursor, PageLimit } from '@malipo/kit/http/page'
import { applyDecorators } from '@nestjs/common'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateIf,
} from 'class-validator'
import { SUBSCRIPTIONS } from '../notifications/events.js'
import {
  DISABLED_REASONS,
  type DisabledReason,
  ENDPOINT_STATES,
  type EndpointState,
} from './endpoint.view.js'
import { type Scheme, SCHEMES } from './signing.js'

/** The longest overlap of a rotation: 7 days. */
const MAX_OVERLAP_SECONDS = 604_800
/** The column takes 2,048; no field of a request has more than 2,000. */
const MAX_URL_CHARACTERS = 2_000
const MAX_DESCRIPTION_CHARACTERS = 500

const PUBLIC_KEY = 'whpk_K/XWH1pgaQfVRIxi78RvmtJ4D/Pa9M6drhCzQbMmBPM='
const NULLABLE_TIME = { type: String, format: 'date-time', nullable: true } as const

const URL_SCHEMA = {
  type: String,
  format: 'uri',
  maxLength: MAX_URL_CHARACTERS,
  description:
    '`https`; in `sandbox` also `http`. A public host, without a user, a password or a fragment',
  example: 'https://merchant.example/notifications',
} as const

const EVENTS_SCHEMA = {
  type: String,
  enum: SUBSCRIPTIONS as string[],
  isArray: true,
  minItems: 1,
  maxItems: SUBSCRIPTIONS.length,
  description: 'Names of events; `payment.*` for all of payments, `*` for all',
  example: ['payment.*'],
} as const

const DESCRIPTION_SCHEMA = {
  type: String,
  nullable: true,
  maxLength: MAX_DESCRIPTION_CHARACTERS,
  description: 'For people',
  example: 'shop server',
} as const

/** The rule for URLs depends on the policy of the installation, so the service applies it. */
const IsUrlText = () => applyDecorators(IsString({ message: 'must be a string' }))

const AreSubscriptions = () =>
  applyDecorators(
    IsIn(SUBSCRIPTIONS, {
      each: true,
      message: `must contain only ${SUBSCRIPTIONS.join(', ')}`,
    }),
    ArrayMaxSize(SUBSCRIPTIONS.length, {
      message: `must have at most ${SUBSCRIPTIONS.length} names`,
    }),
    ArrayMinSize(1, { message: 'must have at least one name' }),
    IsArray({ message: 'must be a list' }),
  )

const IsDescription = () =>
  applyDecorators(
    IsOptional(),
    MaxLength(MAX_DESCRIPTION_CHARACTERS, {
      message: `must be at most ${MAX_DESCRIPTION_CHARACTERS} characters`,
    }),
    IsString({ message: 'must be a string' }),
  )

/** An absent field stays as it is. Unlike with `IsOptional`, null is rejected. */
const IfGiven = () => ValidateIf((_, value) => value !== undefined)

export class CreateEndpointDto {
  @ApiProperty(URL_SCHEMA)
  @IsUrlText()
  url: string

  @ApiProperty(EVENTS_SCHEMA)
  @AreSubscriptions()
  events: string[]

  @ApiPropertyOptional(DESCRIPTION_SCHEMA)
  @IsDescription()
  description?: string | null

  @ApiPropertyOptional({
    type: String,
    enum: SCHEMES,
    default: 'v1',
    description:
      '`v1`: HMAC-SHA256 with a secret. `v1a`: ed25519, so that the receiver has only a public key',
  })
  @IsIn(SCHEMES, { message: `must be one of ${SCHEMES.join(', ')}` })
  scheme: Scheme = 'v1'
}

export class ChangeEndpointDto {
  @ApiPropertyOptional(URL_SCHEMA)
  @IfGiven()
  @IsUrlText()
  url?: string

  @ApiPropertyOptional(EVENTS_SCHEMA)
  @IfGiven()
  @AreSubscriptions()
  events?: string[]

  @ApiPropertyOptional({ ...DESCRIPTION_SCHEMA, description: 'For people; null removes it' })
  @IsDescription()
  description?: string | null

  @ApiPropertyOptional({
    type: String,
    enum: ENDPOINT_STATES,
    description: 'A disabled endpoint gets no notifications',
  })
  @IfGiven()
  @IsIn(ENDPOINT_STATES, { message: `must be one of ${ENDPOINT_STATES.join(', ')}` })
  state?: EndpointState
}

export class RotateSecretDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_OVERLAP_SECONDS,
    default: 86_400,
    description:
      'How long the replaced secret signs too. During an overlap, it has no effect unless it is 0: then only the new secret signs',
  })
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be at least 0' })
  @Max(MAX_OVERLAP_SECONDS, { message: `must be at most ${MAX_OVERLAP_SECONDS}` })
  overlapSeconds = 86_400
}

export class ListEndpointsDto {
  @PageLimit(20)
  limit = 20

  @PageCursor()
  cursor?: string
}

class EndpointSecretDto {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of `v1a`',
    example: PUBLIC_KEY,
  })
  publicKey: string | null

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string

  @ApiProperty({ ...NULLABLE_TIME, description: 'null: until a rotation replaces it' })
  expiresAt: string | null
}

export class EndpointDto {
  @ApiProperty({ type: String, format: 'uuid' })
  id: string

  @ApiProperty({ type: String, format: 'uri', example: URL_SCHEMA.example })
  url: string

  @ApiProperty({ type: [String], example: ['payment.*'] })
  events: string[]

  @ApiProperty({ type: String, nullable: true, example: 'shop server' })
  description: string | null

  @ApiProperty({ type: String, enum: SCHEMES })
  scheme: Scheme

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The newest public key of `v1a`; null for `v1`',
    example: PUBLIC_KEY,
  })
  publicKey: string | null

  @ApiProperty({ type: String, enum: ENDPOINT_STATES })
  state: EndpointState

  @ApiProperty({
    type: String,
    enum: [...DISABLED_REASONS, null],
    nullable: true,
    description:
      '`merchant`: by a request. `gone`: it answered 410. `failing`: it has failed for five days',
  })
  disabledReason: DisabledReason | null

  @ApiProperty({ ...NULLABLE_TIME, description: 'The first failed try since the last 2xx' })
  failingSince: string | null

  @ApiProperty({
    type: [EndpointSecretDto],
    description: 'The secrets that sign now, newest first: two during an overlap',
  })
  secrets: EndpointSecretDto[]

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string

  @ApiProperty({ type: String, format: 'date-time' })
  updatedAt: string

  @ApiProperty({
    type: 'integer',
    minimum: 1,
    description: 'Increases by 1 with each change; the `ETag`',
  })
  version: number
}

export class NewSecretDto extends EndpointDto {
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'The secret of `v1`, shown only in this response. null for `v1a`, whose `publicKey` verifies',
    example: 'whsec_…',
  })
  secret: string | null
}

export class EndpointPageDto {
  @ApiProperty({ type: [EndpointDto] })
  data: EndpointDto[]

  @ApiProperty({ type: String, nullable: true, description: 'null on the last page' })
  nextCursor: string | null
}
