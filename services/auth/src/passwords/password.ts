/** Rules for passwords, as data. */

export const PASSWORD = {
  minCharacters: 8,
  /** bcrypt ignores further bytes; truncating would accept the first 72 bytes as the password. */
  maxBytes: 72,
} as const

export interface PasswordRule {
  readonly name: string
  readonly message: string
  /** `commonest` is in lower case. */
  readonly holds: (password: string, commonest: ReadonlySet<string>) => boolean
}

export const LONG_ENOUGH: PasswordRule = {
  name: 'isLongEnough',
  message: `must have at least ${PASSWORD.minCharacters} characters`,
  // Code points, so that an emoji is one character.
  holds: (password) => Array.from(password).length >= PASSWORD.minCharacters,
}

export const HASHABLE: PasswordRule = {
  name: 'isHashable',
  message: `must have at most ${PASSWORD.maxBytes} bytes of UTF-8`,
  holds: (password) => Buffer.byteLength(password) <= PASSWORD.maxBytes,
}

export const UNCOMMON: PasswordRule = {
  name: 'isUncommon',
  message: 'must not be a common password; use a few uncommon words',
  holds: (password, commonest) => !commonest.has(password.toLowerCase()),
}

/** The rules for a new password. A password to compare need only be `HASHABLE`. */
export const NEW_PASSWORD = [LONG_ENOUGH, HASHABLE, UNCOMMON] as const

/** The messages of the rules that a new password violates. */
export function passwordViolations(password: string, commonest: ReadonlySet<string>): string[] {
  return NEW_PASSWORD.filter(({ holds }) => !holds(password, commonest)).map((rule) => rule.message)
}
