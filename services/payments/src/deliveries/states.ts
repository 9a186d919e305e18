/**
 * The states of a delivery. `pending`: it will be tried, or tried again. `failed`: after the last try, or by 410.
 * `cancelled`: its endpoint was deleted.
 */
export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'cancelled'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]
