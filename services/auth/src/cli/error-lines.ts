import { ConfigurationError } from '@malipo/kit/config/env'
import { Problem } from '@malipo/kit/http/problem'
import { KeySetError } from '../tokens/key-set.js'
import { UsageError } from './operator-command.js'

/** An error as lines for the operator. */
export function errorLines(error: unknown): readonly string[] {
  if (error instanceof ConfigurationError) return error.lines
  if (error instanceof UsageError || error instanceof KeySetError) return [error.message]
  if (error instanceof Problem) return [error.detail]
  return [String(error)]
}
