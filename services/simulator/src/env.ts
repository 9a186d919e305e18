import { integer, readableFile, readEnv as read } from '@malipo/kit/config/env'
import { logLevel } from '@malipo/kit/config/variables'
import { type CleanedEnv, EnvError, makeValidator, str } from 'envalid'
import { type Mix, parseMix } from './timeline/mix.js'

const MAX_TIME_SCALE = 10

const timeScale = makeValidator<number>((input) => {
  if (/^\d+(\.\d+)?$/.test(input) && Number(input) <= MAX_TIME_SCALE) return Number(input)
  throw new EnvError(`must be a number from 0 to ${MAX_TIME_SCALE}`)
})

const mix = makeValidator<Mix>((input) => {
  const weights = parseMix(input)
  if (weights) return weights
  throw new EnvError('must be all, or personality=weight, separated by commas')
})

/** No payer pays the simulator: in live mode, each of its payments would be false. */
const sandbox = makeValidator<'sandbox'>((input) => {
  if (input === 'sandbox') return input
  throw new EnvError('must be sandbox: the simulator does not run in live mode')
})

/** Every environment variable of the simulator. No other file reads `process.env`. */
export const VARIABLES = {
  MODE: sandbox({ desc: 'Must be `sandbox`' }),
  PORT: integer({ min: 0, max: 65_535 })({ default: 4100, desc: 'TCP port to listen on' }),
  LOG_LEVEL: logLevel,
  ACCOUNTS_FILE: readableFile({ desc: 'File with the accounts of clients, in JSON' }),
  BOOK_FILE: str({ desc: 'File of the book, which is created if it does not exist' }),
  BOOK_MAX_CHARGES: integer({ min: 1, max: 100_000 })({
    default: 20_000,
    desc: 'Charges in the book; beyond it, the oldest finished one is removed',
  }),
  TIME_SCALE: timeScale({
    default: 1,
    desc: 'Factor of all times of new charges: 0.01 turns 5 minutes into 3 s, 0 removes all waits',
  }),
  SEED: str({ default: 'malipo', desc: 'Seed of the mix' }),
  PERSONALITY_MIX: mix({
    default: {},
    desc: 'Weights of personalities, such as `approve=90,decline=10`, or `all`; if unset, every payer approves',
  }),
  CALLBACK_TIMEOUT_MS: integer({ min: 1, max: 60_000 })({
    default: 10_000,
    desc: 'How long a callback waits for its response, in ms',
  }),
}

export type Env = CleanedEnv<typeof VARIABLES>

/** @throws ConfigurationError with one line for each variable that is missing or malformed */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  return read(source, VARIABLES)
}
