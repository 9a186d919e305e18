import { integer } from '@malipo/kit/config/env'

/** The environment variables of deliveries. */
export const deliveryVariables = {
  NOTIFICATION_RETENTION_DAYS: integer({ min: 1, max: 3_650 })({
    default: 30,
    desc: 'How long notifications and the log of their deliveries are stored, in days',
  }),
} as const
