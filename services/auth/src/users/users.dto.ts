import { IsContactEmail, IsPhone } from '@malipo/kit/http/contact'
import { ApiProperty } from '@nestjs/swagger'
import { ArrayMaxSize, IsArray, IsString } from 'class-validator'
import { IsPassword, PASSWORD } from '../passwords/password.js'

export class RegisterDto {
  @ApiProperty({
    type: String,
    description:
      'E.164, with `+` or `00`, or a national number of `DEFAULT_REGION`; stored as E.164',
    example: '+256772123456',
  })
  @IsPhone()
  phone: string

  @ApiProperty({ type: String, format: 'email', example: 'amina@example.com' })
  @IsContactEmail()
  email: string

  @ApiProperty({
    type: String,
    format: 'password',
    description: `At least ${PASSWORD.minCharacters} characters, at most ${PASSWORD.maxBytes} bytes of UTF-8 (both in NFC), and not a common password`,
    example: 'matooke with groundnut sauce',
  })
  @IsPassword()
  password: string
}

export class UserDto {
  @ApiProperty({ type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' })
  id: string

  @ApiProperty({ type: String, example: '+256772123456' })
  phone: string

  @ApiProperty({ type: String, format: 'email', example: 'amina@example.com' })
  email: string

  @ApiProperty({ type: String, format: 'date-time', example: '2026-01-01T09:30:00.000Z' })
  createdAt: string
}

export class ScopesDto {
  @ApiProperty({
    type: [String],
    description: 'Replaces the user’s scopes',
    example: ['payments:read', 'payments:write'],
  })
  @IsArray({ message: 'must be a list' })
  @ArrayMaxSize(20, { message: 'must have at most 20 scopes' })
  @IsString({ each: true, message: 'must be a list of strings' })
  scopes: string[]
}

export class UserScopesDto {
  @ApiProperty({ type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' })
  id: string

  @ApiProperty({ type: [String], example: ['payments:read', 'payments:write'] })
  scopes: string[]
}
