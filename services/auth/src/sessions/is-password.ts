import { applyDecorators } from '@nestjs/common'
import { IsString, registerDecorator } from 'class-validator'
import { commonestPasswords } from './commonest-passwords.js'
import { HASHABLE, NEW_PASSWORD, type PasswordRule } from './password.js'

/** A DTO's new password. */
export function IsPassword(): PropertyDecorator {
  return applyDecorators(IsText(), ...NEW_PASSWORD.map(Fulfils))
}

/** A DTO's password that is compared with a kept one: what can't be hashed whole is nobody's. */
export function IsGivenPassword(): PropertyDecorator {
  return applyDecorators(IsText(), Fulfils(HASHABLE))
}

const IsText = () => IsString({ message: 'must be a string' })

function Fulfils({ name, message, holds }: PasswordRule): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: property as string,
      validator: {
        // What is no string is `IsString`'s to tell.
        validate: async (value: unknown) =>
          typeof value !== 'string' || holds(value, await commonestPasswords()),
        defaultMessage: () => message,
      },
    })
}
