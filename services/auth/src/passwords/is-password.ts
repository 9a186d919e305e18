import { applyDecorators } from '@nestjs/common'
import { IsString, registerDecorator } from 'class-validator'
import { commonestPasswords } from './commonest-passwords.js'
import { HASHABLE, NEW_PASSWORD, type PasswordRule } from './password.js'

/** A new password. */
export function IsPassword(): PropertyDecorator {
  return applyDecorators(IsText(), ...NEW_PASSWORD.map(Satisfies))
}

/** A password to compare with a stored one. More bytes than bcrypt reads match no account. */
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
        // `IsString` reports a value of another type.
        validate: async (value: unknown) =>
          typeof value !== 'string' || holds(value, await commonestPasswords()),
        defaultMessage: () => message,
      },
    })
}
