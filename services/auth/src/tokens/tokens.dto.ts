import { ApiProperty } from '@nestjs/swagger'

const UUID = { type: String, format: 'uuid', example: '019b76da-a800-7000-8000-0242ac120002' }

/** The claims of a valid token, and the phone and email of its user. */
export class PayloadDto {
  @ApiProperty({ type: String, enum: ['token'] })
  kind: 'token'

  @ApiProperty({ ...UUID, description: 'User id' })
  sub: string

  @ApiProperty({ ...UUID, description: 'Merchant id: that of the user’s own merchant' })
  merchant: string

  @ApiProperty({ type: String, example: '+256772123456' })
  phone: string

  @ApiProperty({ type: String, format: 'email', example: 'amina@example.com' })
  email: string

  @ApiProperty({
    type: String,
    description: 'Scopes, separated by spaces',
    example: 'payments:read payments:write',
  })
  scope: string

  @ApiProperty({ ...UUID, description: 'Session id' })
  sid: string

  @ApiProperty({ ...UUID, description: 'Token id' })
  jti: string

  @ApiProperty({ type: String, example: 'malipo-auth' })
  iss: string

  @ApiProperty({ type: String, example: 'malipo' })
  aud: string

  @ApiProperty({ type: Number, description: 'Time of issue, Unix seconds', example: 1767259800 })
  iat: number

  @ApiProperty({ type: Number, description: 'Time of expiry, Unix seconds', example: 1767260700 })
  exp: number
}

export class JwkDto {
  @ApiProperty({ type: String, example: 'EC' })
  kty: string

  @ApiProperty({ type: String, example: 'P-256' })
  crv: string

  @ApiProperty({ type: String, example: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU' })
  x: string

  @ApiProperty({ type: String, example: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' })
  y: string

  @ApiProperty({
    type: String,
    description: 'Key id, as in the header of a token',
    example: '2026-01-01-4f0c',
  })
  kid: string

  @ApiProperty({ type: String, enum: ['sig'] })
  use: 'sig'

  @ApiProperty({ type: String, enum: ['ES256'] })
  alg: 'ES256'
}

export class JwksDto {
  @ApiProperty({ type: [JwkDto] })
  keys: JwkDto[]
}
