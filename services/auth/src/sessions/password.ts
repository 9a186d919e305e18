/** What may be a password, as a table of rules. */

export const PASSWORD = {
  minCharacters: 8,
  /** bcrypt reads no further. A longer one is refused: cut, its beginning alone would let people in. */
  maxBytes: 72,
} as const

export interface PasswordRule {
  readonly name: string
  readonly message: string
  /** `commonest` are passwords in lower case. */
  readonly holds: (password: string, commonest: ReadonlySet<string>) => boolean
}

export const LONG_ENOUGH: PasswordRule = {
  name: 'isLongEnough',
  message: `must have at least ${PASSWORD.minCharacters} characters`,
  // Counted by code points, so that an emoji is not two characters.
  holds: (password) => Array.from(password).length >= PASSWORD.minCharacters,
}

export const HASHABLE: PasswordRule = {
  name: 'isHashable',
  message: `must have at most ${PASSWORD.maxBytes} bytes of UTF-8`,
  holds: (password) => Buffer.byteLength(password) <= PASSWORD.maxBytes,
}

export const UNCOMMON: PasswordRule = {
  name: 'isUncommon',
  message: 'must not be one of the commonest passwords: a few uncommon words are better',
  holds: (password, commonest) => !commonest.has(password.toLowerCase()),
}

/** What a new password must fulfil; one that is only compared must be `HASHABLE`. */
export const NEW_PASSWORD = [LONG_ENOUGH, HASHABLE, UNCOMMON] as const

/** What is wrong with a new password, for people; empty when it may be one. */
export function passwordFaults(password: string, commonest: ReadonlySet<string>): string[] {
  return NEW_PASSWORD.filter(({ holds }) => !holds(password, commonest)).map((rule) => rule.message)
}
