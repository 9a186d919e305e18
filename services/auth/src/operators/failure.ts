import { ConfigurationError } from '@malipo/kit/config/env'
import { Problem } from '@malipo/kit/http/problem'
import { OrderError } from './order.js'

/** What the operator is told of an error: its text where it was written for people. */
export function failureLines(error: unknown): readonly string[] {
  if (error instanceof ConfigurationError) return error.lines
  if (error instanceof OrderError) return [error.message]
  if (error instanceof Problem) return [error.detail]
  return [String(error)]
}
