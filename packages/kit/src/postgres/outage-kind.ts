import { rootCause } from '../telemetry/root-cause.js'
import { sqlStateOf } from './retry.js'

/** What an operator has to repair, by SQLSTATE. */
const BY_SQLSTATE = {
  '25006': 'read-only',
  '28000': 'access refused',
  '28P01': 'wrong password',
  '3D000': 'missing database',
  '3F000': 'missing schema',
  '42501': 'missing right',
  '42703': 'missing schema',
  '42804': 'missing schema',
  '42883': 'missing schema',
  '42P01': 'missing schema',
  '53100': 'disk full',
  '53200': 'out of memory',
  '53300': 'no free connections',
  '55000': 'not accepting connections',
  '55P03': 'locked',
  '57P03': 'starting or shutting down',
} as const

export type OutageKind = (typeof BY_SQLSTATE)[keyof typeof BY_SQLSTATE] | 'unreachable'

/** The kind of an outage, from its error. An error that PostgreSQL did not report means that it is unreachable. */
export function outageKind(error: unknown): OutageKind {
  const kinds: Readonly<Record<string, OutageKind>> = BY_SQLSTATE
  return kinds[sqlStateOf(rootCause(error))] ?? 'unreachable'
}
