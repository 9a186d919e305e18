import { toNfc } from '@malipo/kit/http/nfc'
import { Normalise } from '@malipo/kit/http/validation'
import { applyDecorators } from '@nestjs/common'
import { IsString, ValidateBy } from 'class-validator'

export const PASSWORD = {
  minCharacters: 8,
  /** bcrypt ignores further bytes, so the first 72 bytes of a longer password would suffice to log in. */
  maxBytes: 72,
} as const

/** The form of a password that is validated, hashed and compared. A password has at least as many bytes as units. */
export function normalisePassword(password: string): string {
  return toNfc(password, PASSWORD.maxBytes)
}

interface PasswordRule {
  readonly name: string
  readonly message: string
  /** Whether a password follows the rule. The entries of `commonest` are in lower case. */
  readonly holds: (password: string, commonest: ReadonlySet<string>) => boolean
}

const HASHABLE: PasswordRule = {
  name: 'isHashable',
  message: `must have at most ${PASSWORD.maxBytes} bytes of UTF-8`,
  holds: (password) => Buffer.byteLength(password) <= PASSWORD.maxBytes,
}

const NEW_PASSWORD: readonly PasswordRule[] = [
  {
    name: 'isLongEnough',
    message: `must have at least ${PASSWORD.minCharacters} characters`,
    // Counts code points, so that an emoji is one character.
    holds: (password) => Array.from(password).length >= PASSWORD.minCharacters,
  },
  HASHABLE,
  {
    name: 'isUncommon',
    message: 'must not be a common password; use a few uncommon words',
    holds: (password, commonest) => !commonest.has(password.toLowerCase()),
  },
]

/** The messages of the rules that a new password in its normal form violates. */
export function passwordViolations(password: string, commonest: ReadonlySet<string>): string[] {
  return NEW_PASSWORD.filter(({ holds }) => !holds(password, commonest)).map((rule) => rule.message)
}

let commonest: Promise<ReadonlySet<string>> | undefined

/**
 * The most common leaked passwords, in lower case: the 18,000 of a list of 49,000 that are long enough to
 * pass the minimum length. They are unpacked on first use, in 25 ms, and take 4 MB of memory.
 */
export function commonestPasswords(): Promise<ReadonlySet<string>> {
  return (commonest ??= loadCommonest())
}

async function loadCommonest() {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const all: readonly string[] = dictionary['passwords-common']
  return new Set(all.filter((password) => password.length >= PASSWORD.minCharacters))
}

/** Normalises and validates a new password in a DTO. */
export function IsPassword(): PropertyDecorator {
  return applyDecorators(IsText(), ...NEW_PASSWORD.map(Satisfies))
}

/** Normalises and validates an existing password in a DTO. One that exceeds bcrypt's limit belongs to no account. */
export function IsGivenPassword(): PropertyDecorator {
  return applyDecorators(IsText(), Satisfies(HASHABLE))
}

const IsText = () =>
  applyDecorators(
    Normalise((value) => (typeof value === 'string' ? normalisePassword(value) : value)),
    IsString({ message: 'must be a string' }),
  )

function Satisfies({ name, message, holds }: PasswordRule): PropertyDecorator {
  return ValidateBy({
    name,
    validator: {
      // Only strings are checked here; `IsString` rejects other types.
      validate: async (value: unknown) =>
        typeof value !== 'string' || holds(value, await commonestPasswords()),
      defaultMessage: () => message,
    },
  })
}
