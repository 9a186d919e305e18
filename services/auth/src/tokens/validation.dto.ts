import { ApiProperty } from '@nestjs/swagger'

const UUID = { type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' }

/** The claims of a valid token, with what its holder can be reached by. */
export class PayloadDto {
  @ApiProperty({ ...UUID, description: 'The user' })
  sub: string

  @ApiProperty({ type: String, example: '+256772123456' })
  phone: string

  @ApiProperty({ type: String, format: 'email', example: 'amina@example.com' })
  email: string

  @ApiProperty({
    type: String,
    description: 'Separated by spaces',
    example: 'payments:read payments:write',
  })
  scope: string

  @ApiProperty({ ...UUID, description: 'The session' })
  sid: string

  @ApiProperty({ ...UUID, description: 'The token' })
  jti: string

  @ApiProperty({ type: String, example: 'malipo-auth' })
  iss: string

  @ApiProperty({ type: String, example: 'malipo' })
  aud: string

  @ApiProperty({ type: Number, description: 'Issued, in seconds since 1970', example: 1767259800 })
  iat: number

  @ApiProperty({ type: Number, description: 'Over, in seconds since 1970', example: 1767260700 })
  exp: number
}

export class ValidationDto {
  @ApiProperty({ type: Boolean, example: true })
  valid: boolean

  @ApiProperty({ type: PayloadDto, required: false, description: 'Only of a valid token' })
  payload?: PayloadDto
}
