import { ApiProperty } from '@nestjs/swagger'
import { IsGivenPassword, IsPassword } from './password.js'

export class PasswordDto {
  @ApiProperty({ type: String, format: 'password', example: 'matooke with groundnut sauce' })
  @IsGivenPassword()
  currentPassword: string

  @ApiProperty({
    type: String,
    format: 'password',
    description: 'Follows the rules of registration and differs from the current password',
    example: 'posho with beans and avocado',
  })
  @IsPassword()
  newPassword: string
}
