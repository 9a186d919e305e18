import { applyDecorators } from '@nestjs/common'
import { IsString, registerDecorator } from 'class-validator'
import { commonestPasswords } from './commonest-passwords.js'
import { HASHABLE, NEW_PASSWORD, type PasswordRule } from './password.js'

/** A new password. */
export function IsPassword(): PropertyDecorator {
  return applyDecorators(IsText(), ...NEW_PASSWORD.map(Satisfies))
}

/**
 * A password that is compared with a stored one. If it is longer than bcrypt reads, it matches no account.
 */
export function IsGivenPassword(): PropertyDecorator {
  return applyDecorators(IsText(), Satisfies(HASHABLE))
}

const IsText = () => IsString({ message: 'must be a string' })

function Satisfies({ name, message, holds }: PasswordRule): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: property as string,
      validator: {
        // `IsString` reports values of other types.
        validate: async (value: unknown) =>
          typeof value !== 'string' || holds(value, await commonestPasswords()),
        defaultMessage: () => message,
      },
    })
}
