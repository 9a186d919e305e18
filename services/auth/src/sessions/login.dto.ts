import { IsPhone } from '@malipo/kit/contact'
import { ApiProperty } from '@nestjs/swagger'
import { IsGivenPassword } from './is-password.js'

export class LoginDto {
  @ApiProperty({
    type: String,
    description: 'In any form that registering takes',
    example: '+256772123456',
  })
  @IsPhone()
  phone: string

  @ApiProperty({ type: String, format: 'password', example: 'matooke with groundnut sauce' })
  @IsGivenPassword()
  password: string
}

/** RFC 6749, section 5.1: its names are in snake case. */
export class TokensDto {
  @ApiProperty({ type: String, description: 'A JWT', example: 'eyJhbGciOiJIUzI1NiIs…' })
  access_token: string

  @ApiProperty({ type: String, enum: ['Bearer'], example: 'Bearer' })
  token_type: 'Bearer'

  @ApiProperty({ type: Number, description: 'Seconds', example: 900 })
  expires_in: number

  @ApiProperty({ type: String, example: 'Jm1hVvTVrfmmI0yEXTUbnRlBlcwGTuXYvPjqWOv6JrE' })
  refresh_token: string
}
