import { IsPhone } from '@malipo/kit/http/contact'
import { RestorePlus } from '@malipo/kit/http/query-plus'
import { ApiProperty } from '@nestjs/swagger'
import { IsOptional } from 'class-validator'
import { PAYMENT_METHODS, type PaymentMethod } from '../money/payment-methods.js'

export class MethodsQueryDto {
  @ApiProperty({
    required: false,
    description: 'Only accounts that can charge this number, the best first',
    example: '+256772123456',
  })
  @IsOptional()
  @IsPhone()
  @RestorePlus()
  phone?: string
}

class MethodDto {
  @ApiProperty({ description: 'The `provider` of a payment', example: 'mtn-ug' })
  provider: string

  @ApiProperty({ example: 'mtn-momo' })
  providerName: string

  @ApiProperty({ enum: PAYMENT_METHODS, isArray: true })
  paymentMethods: PaymentMethod[]

  @ApiProperty({ example: 'UG' })
  country: string

  @ApiProperty({ type: [String], description: 'Countries whose numbers can be charged' })
  phoneCountries: string[]

  @ApiProperty({ example: 'UGX' })
  currency: string

  @ApiProperty({ type: 'integer', description: 'The most decimal places of an amount' })
  digits: number

  @ApiProperty({ example: '500' })
  minAmount: string

  @ApiProperty({ example: '5000000' })
  maxAmount: string
}

export class MethodsDto {
  @ApiProperty({ type: [MethodDto] })
  data: MethodDto[]
}
