import { readFileSync } from 'node:fs'
import {
  type CleanedEnv,
  cleanEnv,
  EnvError,
  EnvMissingError,
  makeValidator,
  type ValidatorSpec,
} from 'envalid'

/** Environment variables, validated once at start. Each service lists its own in its `env.ts`. */

/** The environment is invalid: `lines` has one line for each missing or invalid variable. */
export class ConfigurationError extends Error {
  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'))
    this.name = 'ConfigurationError'
  }
}

export function integer(range: { min: number; max: number }) {
  return makeValidator<number>((input) => {
    const value = Number(input)
    if (/^\d+$/.test(input) && value >= range.min && value <= range.max) return value
    throw new EnvError(`must be a whole number from ${range.min} to ${range.max}`)
  })
}

/** The items of a comma-separated list, without surrounding spaces; empty items are dropped. */
export function splitList(input: string): string[] {
  return input
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
}

export function url(...schemes: string[]) {
  return makeValidator<string>((input) => {
    const url = URL.parse(input)
    if (url && schemes.includes(url.protocol.slice(0, -1))) return input
    throw new EnvError(`must be a URL that begins with ${schemes.join(':// or ')}://`)
  })
}

/** Other than envalid's, its message does not repeat the value. */
export const flag = makeValidator<boolean>((input) => {
  if (/^(true|t|yes|on|1)$/i.test(input)) return true
  if (/^(false|f|no|off|0)$/i.test(input)) return false
  throw new EnvError('must be true or false')
})

export const ratio = makeValidator<number>((input) => {
  if (/^(0(\.\d+)?|1(\.0+)?)$/.test(input)) return Number(input)
  throw new EnvError('must be a number from 0 to 1')
})

/** Headers in OpenTelemetry's format: comma-separated `name=value` pairs with percent-encoded values. */
export const headers = makeValidator<Record<string, string>>((input) => {
  const pairs = input.split(',').map(parseHeader)
  if (pairs.every((pair) => pair !== undefined)) return Object.fromEntries(pairs)
  throw new EnvError('must be name=value, separated by commas, with percent-encoded values')
})

function parseHeader(input: string): [string, string] | undefined {
  const [, name, value] = /^\s*([!#$%&'*+.^_`|~\w-]+)=(.*?)\s*$/.exec(input) ?? []
  try {
    return name === undefined || value === undefined ? undefined : [name, decodeURIComponent(value)]
  } catch {
    return undefined
  }
}

export const readableFile = makeValidator<string>((input) => {
  if (isReadable(input)) return input
  throw new EnvError('must name a file that can be read')
})

export function isReadable(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch {
    return false
  }
}

/** Checks variables that depend on each other. Returns a message for each invalid variable. */
export type Check<E> = (env: E) => Readonly<Partial<Record<string, string>>>

/** Reads the variables in `specs`; empty ones count as unset. Errors omit values, which may be secrets. */
export function readEnv<S extends Record<string, ValidatorSpec<unknown>>>(
  source: NodeJS.ProcessEnv,
  specs: S,
  ...checks: Check<CleanedEnv<S>>[]
): CleanedEnv<S> {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ''))
  const messages = new Map<string, string>()
  const env = cleanEnv(given, specs, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors))
        messages.set(name, messageOf(error, specs[name]))
    },
  })
  const plain = { ...env }
  for (const check of messages.size === 0 ? checks : []) {
    for (const [name, message] of Object.entries(check(plain))) messages.set(name, message ?? '')
  }
  if (messages.size === 0) return plain
  throw new ConfigurationError([...messages].map(([name, message]) => `${name} ${message}`))
}

function messageOf(error: unknown, spec: { choices?: readonly unknown[] } | undefined): string {
  if (error instanceof EnvMissingError) return 'is required'
  if (spec?.choices) return `must be one of ${spec.choices.join(', ')}`
  return error instanceof Error ? error.message : 'is not valid'
}
