import { integer, splitList } from '@malipo/kit/config/env'
import { type Role, ROLES } from '@malipo/kit/worker/worker'
import { EnvError, makeValidator } from 'envalid'

const roles = makeValidator<readonly Role[]>((input) => {
  const names = splitList(input)
  const known = ROLES.filter((role) => names.includes(role))
  if (known.length > 0 && names.every((name) => known.includes(name as Role))) return known
  throw new EnvError(`must be ${ROLES.join(', ')}, or both, separated by a comma`)
})

/** The environment variables of deliveries, and of the replica's part in them. */
export const deliveryVariables = {
  ROLES: roles({
    default: ROLES,
    desc: 'What the replica does: `api` serves requests, `worker` calls providers and delivers notifications; at least one replica must be a `worker`',
  }),
  NOTIFICATIONS_PER_SECOND: integer({ min: 1, max: 100_000 })({
    default: 500,
    desc: 'Deliveries that a replica begins in a second at most, so that a backlog leaves requests their share of the CPU',
  }),
  NOTIFICATION_RETENTION_DAYS: integer({ min: 1, max: 3_650 })({
    default: 30,
    desc: 'How long notifications and the log of their deliveries are stored, in days',
  }),
} as const
