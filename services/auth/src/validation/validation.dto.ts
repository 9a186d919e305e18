import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger'
import { KeyPayloadDto } from '../api-keys/api-keys.dto.js'
import { PayloadDto } from '../tokens/tokens.dto.js'

@ApiExtraModels(PayloadDto, KeyPayloadDto)
export class ValidationDto {
  @ApiProperty({ type: Boolean, example: true })
  valid: boolean

  @ApiProperty({
    required: false,
    description: 'Present if the token or key is valid',
    oneOf: [{ $ref: getSchemaPath(PayloadDto) }, { $ref: getSchemaPath(KeyPayloadDto) }],
  })
  payload?: PayloadDto | KeyPayloadDto
}
