import { IsPhone } from '@malipo/kit/http/contact'
import { ApiProperty } from '@nestjs/swagger'
import { IsString, MaxLength } from 'class-validator'
import { IsGivenPassword, IsPassword } from './is-password.js'

const REFRESH_TOKEN =
  'Jm1hVvTVrfmmI0yEXTUbnRlBlcwGTuXYvPjqWOv6JrEq0VnD2mJ3vH4xT1c8yKf6bUoZs7aWe5RgLiXpNdQhCk'
const PHRASE = 'matooke with groundnut sauce'

export class LoginDto {
  @ApiProperty({
    type: String,
    description: 'In any form that registering takes',
    example: '+256772123456',
  })
  @IsPhone()
  phone: string

  @ApiProperty({ type: String, format: 'password', example: PHRASE })
  @IsGivenPassword()
  password: string
}

export class RefreshDto {
  @ApiProperty({ type: String, description: 'The last one of the session', example: REFRESH_TOKEN })
  @IsString({ message: 'must be a string' })
  @MaxLength(1000, { message: 'must be at most 1000 characters' })
  refresh_token: string
}

export class PasswordDto {
  @ApiProperty({ type: String, format: 'password', example: PHRASE })
  @IsGivenPassword()
  currentPassword: string

  @ApiProperty({
    type: String,
    format: 'password',
    description: 'As when registering, and another than the current one',
    example: 'posho with beans and avocado',
  })
  @IsPassword()
  newPassword: string
}

/** RFC 6749, section 5.1: its names are in snake case. */
export class TokensDto {
  @ApiProperty({ type: String, description: 'A JWT', example: 'eyJhbGciOiJIUzI1NiIs…' })
  access_token: string

  @ApiProperty({ type: String, enum: ['Bearer'], example: 'Bearer' })
  token_type: 'Bearer'

  @ApiProperty({ type: Number, description: 'Seconds', example: 900 })
  expires_in: number

  @ApiProperty({
    type: String,
    description: 'Good for one refresh; used again it ends the session',
    example: REFRESH_TOKEN,
  })
  refresh_token: string
}

const TIME = { type: String, format: 'date-time', example: '2026-01-01T09:30:00.000Z' }

export class SessionDto {
  @ApiProperty({ type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' })
  id: string

  @ApiProperty(TIME)
  createdAt: Date

  @ApiProperty({ ...TIME, description: 'Opened, or last refreshed' })
  lastUsedAt: Date

  @ApiProperty({ ...TIME, description: 'Unless it is refreshed before' })
  expiresAt: Date

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of its last use',
    example: 'curl/8.5',
  })
  userAgent: string | null

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of its last use',
    example: '203.0.113.7',
  })
  address: string | null

  @ApiProperty({ type: Boolean, description: 'Whether the token of this request is of it' })
  current: boolean
}

export class SessionsDto {
  @ApiProperty({ type: [SessionDto], description: 'The last used first; 100 at most' })
  data: SessionDto[]
}
