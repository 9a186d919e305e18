import * as database from './faults/database.ts'
import type { Fault } from './faults/fault.ts'
import { killed } from './faults/killed.ts'
import * as pods from './faults/pods.ts'
import * as rolling from './faults/rolling.ts'

/** Every fault of the drill, by name, in order. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  upgrade: rolling.upgrade,
  rollback: rolling.rollback,
  evicted: pods.evicted,
  deleted: pods.deleted,
  killed,
  redis: pods.redisDeleted,
  switchover: database.switchover,
  'primary-deleted': database.primaryDeleted,
  'primary-forced': database.primaryForced,
  'primary-killed': database.primaryKilled,
  'auth-primary-forced': database.authPrimaryForced,
  'volume-lost': database.volumeLost,
}
