import { type Provider, PROVIDERS } from '../book/records.js'
import type { Behaviour } from '../timeline/choice.js'
import type { Mix } from '../timeline/mix.js'
import { isPersonality } from '../timeline/personalities.js'

/** The input of operators. A function throws InputError with the field and its valid values. */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly statusCode = 400
}

type Input = Readonly<Record<string, unknown>>

const DAY_MS = 86_400_000
const MAX_WEIGHT = 1_000_000

export function readProvider(value: unknown): Provider {
  const provider = PROVIDERS.find((name) => name === value)
  if (provider) return provider
  throw new InputError(`provider must be one of ${PROVIDERS.join(', ')}`)
}

export function readBehaviour({ personality, payerMs, code }: Input): Behaviour {
  if (!isPersonality(personality)) {
    throw new InputError('personality must be one of those that GET /admin/personalities lists')
  }
  if (payerMs !== undefined && !isWhole(payerMs, DAY_MS)) {
    throw new InputError(`payerMs must be a whole number from 0 to ${DAY_MS}`)
  }
  if (code !== undefined && (typeof code !== 'string' || !/^[\w -]{1,64}$/.test(code))) {
    throw new InputError('code must be 1 to 64 letters, digits, spaces, - or _')
  }
  return { personality, payerMs, code }
}

export function readMix({ seed, weights }: Input): { seed: string; mix: Mix } {
  if (typeof seed !== 'string' || seed.length > 100) {
    throw new InputError('seed must be a string of at most 100 characters')
  }
  const entries = Object.entries((weights ?? {}) as Input)
  const isValid = entries.every(
    ([name, weight]) => isPersonality(name) && isWhole(weight, MAX_WEIGHT),
  )
  if (isValid) return { seed, mix: Object.fromEntries(entries) }
  throw new InputError(`weights must be personalities with whole numbers up to ${MAX_WEIGHT}`)
}

/** @param value a parameter of a query string */
export function readCount(value: unknown, range: { standard: number; max: number }, name: string) {
  if (value === undefined) return range.standard
  const count = Number(value)
  if (isWhole(count, range.max)) return count
  throw new InputError(`${name} must be a whole number from 0 to ${range.max}`)
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max
}
