import {
  isPersonality,
  PERSONALITIES,
  PERSONALITY_NAMES,
  type Personality,
} from './personalities.js'

/** Weights of personalities; empty if none is chosen by the seed. */
export type Mix = Readonly<Partial<Record<Personality, number>>>

/**
 * Parses `approve=90,decline=10`, or `all` for the weights of the table of personalities.
 *
 * @returns undefined if a name is unknown, or a weight is not a whole number from 0 to 1,000,000
 */
export function parseMix(text: string): Mix | undefined {
  if (text === 'all') {
    return Object.fromEntries(PERSONALITY_NAMES.map((name) => [name, PERSONALITIES[name].weight]))
  }
  const entries = text.split(',').filter(Boolean).map(parseEntry)
  return entries.every((entry) => entry !== undefined) ? Object.fromEntries(entries) : undefined
}

function parseEntry(text: string): [Personality, number] | undefined {
  const [, name, weight] = /^\s*([a-z\d-]+)=(\d{1,6}|1000000)\s*$/.exec(text) ?? []
  return isPersonality(name) ? [name, Number(weight)] : undefined
}

/**
 * The personality at the position `at`, from 0 (inclusive) to 1 (exclusive), of the mix laid end to end.
 *
 * @returns undefined if the mix is empty
 */
export function pick(mix: Mix, at: number): Personality | undefined {
  // In the order of the table, so that the order of the weights in a setting changes nothing.
  const weights = PERSONALITY_NAMES.map((name) => [name, mix[name] ?? 0] as const)
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
  let left = at * total
  for (const [name, weight] of weights) {
    if (left < weight) return name
    left -= weight
  }
  return undefined
}
