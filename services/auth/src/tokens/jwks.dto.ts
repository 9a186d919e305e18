import { ApiProperty } from '@nestjs/swagger'

export class JwkDto {
  @ApiProperty({ type: String, example: 'EC' })
  kty: string

  @ApiProperty({ type: String, example: 'P-256' })
  crv: string

  @ApiProperty({ type: String, example: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU' })
  x: string

  @ApiProperty({ type: String, example: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' })
  y: string

  @ApiProperty({ type: String, description: 'As in a token’s header', example: '2026-01-01-4f0c' })
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
