import { IsPhone } from '@malipo/kit/http/contact'
import { ApiProperty } from '@nestjs/swagger'
import { IsOptional, IsString, MaxLength } from 'class-validator'
import { IsGivenPassword } from '../passwords/password.js'

const TOKEN =
  'Jm1hVvTVrfmmI0yEXTUbnRlBlcwGTuXYvPjqWOv6JrEq0VnD2mJ3vH4xT1c8yKf6bUoZs7aWe5RgLiXpNdQhCk'

const DEVICE_TOKEN = 'AZt22qgAcACAAAJCrBIAAlU0mUzWKM1gVvVv0m3rO0ht7E2sCkH9xYdPqLwZbTnR'

export class LoginDto {
  @ApiProperty({
    type: String,
    description: 'E.164, or a national number of `DEFAULT_REGION`',
    example: '+256772123456',
  })
  @IsPhone()
  phone: string

  @ApiProperty({ type: String, format: 'password', example: 'matooke with groundnut sauce' })
  @IsGivenPassword()
  password: string

  @ApiProperty({
    type: String,
    required: false,
    nullable: true,
    description:
      'From an earlier login or refresh. Lets its holder log in while others guess the account’s password. ' +
      'A token that is not valid for the account has no effect',
    example: DEVICE_TOKEN,
  })
  @IsOptional()
  @IsString({ message: 'must be a string' })
  @MaxLength(1000, { message: 'must be at most 1000 characters' })
  device_token?: string | null
}

export class RefreshDto {
  @ApiProperty({ type: String, description: 'Latest refresh token of the session', example: TOKEN })
  @IsString({ message: 'must be a string' })
  @MaxLength(1000, { message: 'must be at most 1000 characters' })
  refresh_token: string
}

/** The response of RFC 6749, section 5.1, which uses snake_case. */
export class TokensDto {
  @ApiProperty({ type: String, description: 'JWT', example: 'eyJhbGciOiJIUzI1NiIs…' })
  access_token: string

  @ApiProperty({ type: String, enum: ['Bearer'], example: 'Bearer' })
  token_type: 'Bearer'

  @ApiProperty({ type: Number, description: 'In seconds', example: 900 })
  expires_in: number

  @ApiProperty({
    type: String,
    description: 'Exchange it once; its use after the grace period revokes the session',
    example: TOKEN,
  })
  refresh_token: string

  @ApiProperty({
    type: String,
    description: 'Store it and send it with the next login; valid for 90 days',
    example: DEVICE_TOKEN,
  })
  device_token: string
}

const TIME = { type: String, format: 'date-time', example: '2026-01-01T09:30:00.000Z' }
const OF_LAST_USE = { type: String, nullable: true, description: 'At the last login or refresh' }

export class SessionDto {
  @ApiProperty({ type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' })
  id: string

  @ApiProperty(TIME)
  createdAt: string

  @ApiProperty({ ...TIME, description: 'Last login or refresh' })
  lastUsedAt: string

  @ApiProperty({ ...TIME, description: 'Extended by each refresh' })
  expiresAt: string

  @ApiProperty({ ...OF_LAST_USE, example: 'curl/8.5' })
  userAgent: string | null

  @ApiProperty({ ...OF_LAST_USE, example: '203.0.113.7' })
  address: string | null

  @ApiProperty({
    type: Boolean,
    description: 'Whether this request’s token belongs to the session',
  })
  current: boolean
}

export class SessionsDto {
  @ApiProperty({ type: [SessionDto], description: 'Most recently used first; at most 100' })
  data: SessionDto[]
}
