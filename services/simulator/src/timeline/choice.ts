import { draw } from './draw.js'
import { type Mix, pick } from './mix.js'
import { PERSONALITIES, type Personality, personalityOf, type Rejection } from './personalities.js'
import { scaled, type Timeline } from './timeline.js'

/** A behaviour, as an operator sets it or as a test number of a provider means it. */
export interface Behaviour {
  readonly personality: Personality
  /** How long the payer takes, before scaling. */
  readonly payerMs?: number
  /** The provider's own code for the failure. */
  readonly code?: string
}

/** Everything that decides what happens to a request for money. */
export interface Inputs {
  readonly reference: string
  readonly amount: string
  /** Digits of E.164, without plus. */
  readonly phone: string
  /** Set by an operator for this reference, or for the next request. */
  readonly script?: Behaviour
  /** By a test number of the provider's own sandbox. */
  readonly testNumber?: Behaviour
  /** How often a request with this reference was rejected before. */
  readonly rejections: number
  readonly seed: string
  readonly mix: Mix
  readonly timeScale: number
}

export type Plan =
  | { readonly personality: Personality; readonly timeline: Timeline }
  | { readonly personality: Personality; readonly rejection: Rejection; readonly code?: string }

/** How long a payer takes whose personality was not chosen by the seed. */
const PAYER_MS = 2_000
/** A payer of the mix takes up to this much longer. */
const PAYER_SPREAD_MS = 6_000

/** Decides what happens: by script, by the provider's test number, by our phone number, by the seed. */
export function plan(inputs: Inputs): Plan {
  const { personality, payerMs = PAYER_MS, code } = behaviourOf(inputs)
  const { plan } = PERSONALITIES[personality]
  if (typeof plan === 'string') return { personality, rejection: plan, code }
  const timeline = plan({ amount: inputs.amount, payerMs, code })
  return { personality, timeline: scaled(timeline, inputs.timeScale) }
}

function behaviourOf(inputs: Inputs): Behaviour {
  if (inputs.script) return inputs.script
  const behaviour = inputs.testNumber ?? byNumber(inputs.phone) ?? bySeed(inputs)
  // Otherwise no repetition of the request could ever succeed.
  const isRepeated = behaviour.personality === 'busy' && inputs.rejections > 0
  return isRepeated ? { personality: 'approve' } : behaviour
}

function byNumber(phone: string): Behaviour | undefined {
  const personality = personalityOf(phone)
  return personality && { personality }
}

function bySeed({ seed, reference, mix }: Inputs): Behaviour {
  const personality = pick(mix, draw(seed, reference, 'personality'))
  if (!personality) return { personality: 'approve' }
  const spread = draw(seed, reference, 'payer') * PAYER_SPREAD_MS
  return { personality, payerMs: PAYER_MS + spread }
}
