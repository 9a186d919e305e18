import { CONCLUSION_OUTCOMES, type ConclusionOutcome } from '../attempts/conclusion.js'

/** What a replay did: the outcome of a conclusion, or one of the first three. */
export const RESULTS = ['query', 'parked', 'ignored', ...CONCLUSION_OUTCOMES] as const
export type ReplayResult = 'query' | 'parked' | 'ignored' | ConclusionOutcome
