import { parseArgs, type ParseArgsConfig } from 'node:util'
import { ConfigurationError } from './config/env.js'
import { Problem } from './http/problem.js'

/** The commands in the `cli` folder of a service. */

/** An invalid command, or one that cannot be executed. The message is for the operator. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Runs a command and prints its lines. If it throws, prints the error's lines and sets the exit code 1. */
export async function runCommand(name: string, command: () => string[] | Promise<string[]>) {
  try {
    for (const line of await command()) process.stdout.write(`${line}\n`)
  } catch (error) {
    for (const line of linesOf(error)) process.stderr.write(`${name}: ${line}\n`)
    process.exitCode = 1
  }
}

function linesOf(error: unknown): readonly string[] {
  if (error instanceof ConfigurationError) return error.lines
  if (error instanceof Problem) return [error.detail]
  // An AggregateError of a failed connection has no message.
  return [error instanceof Error && error.message !== '' ? error.message : String(error)]
}

/** @throws UsageError with `usage` for an unknown option or a missing value */
export function parseOptions<const Config extends ParseArgsConfig>(usage: string, config: Config) {
  try {
    return parseArgs(config)
  } catch {
    throw new UsageError(usage)
  }
}
