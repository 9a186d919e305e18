/**
 * The names of events. Those that are notified can be subscribed to; the feed contains all events of payments. The
 * names of payments' events are those of the SQL function `payment_event_type`.
 */
export const EVENT_TYPES = {
  'payment.created': {
    notified: false,
    means: 'A payment was created. Its merchant knows it from the response.',
  },
  'payment.pending': {
    notified: true,
    means: 'The request for money was sent, or may have been, or the status was set to `PENDING`.',
  },
  'payment.succeeded': { notified: true, means: 'The payment succeeded.' },
  'payment.failed': { notified: true, means: 'The payment failed. `failure` has the reason.' },
  'payment.late_success': {
    notified: true,
    means:
      'The provider reported a success after the payment had failed: money was received. `lateSuccess` has it.',
  },
  'payment.updated': {
    notified: true,
    means: 'Another field than the status changed, such as `needsAttention` or `amountUnverified`.',
  },
  'webhook_endpoint.failing': {
    notified: true,
    means: 'Another endpoint has not answered with 2xx for one day, or for three.',
  },
  'webhook_endpoint.disabled': {
    notified: true,
    means: 'Another endpoint was disabled: it answered 410, or has failed for five days.',
  },
  ping: {
    notified: false,
    means: 'A test that the merchant requested. It is sent to that endpoint only.',
  },
} as const satisfies Record<string, { notified: boolean; means: string }>

export type EventType = keyof typeof EVENT_TYPES
export type PaymentEventType = Extract<EventType, `payment.${string}`>

const NAMES = Object.keys(EVENT_TYPES) as EventType[]

export const PAYMENT_EVENT_TYPES = NAMES.filter((name): name is PaymentEventType =>
  name.startsWith('payment.'),
)

/** The events that endpoints can subscribe to. */
export const NOTIFIED_TYPES = NAMES.filter((name) => EVENT_TYPES[name].notified)

/** The events that endpoints receive: also the test. */
export const SENT_TYPES: readonly EventType[] = [...NOTIFIED_TYPES, 'ping']

/** What an endpoint can subscribe to: events by name, all of payments, or all. */
export const SUBSCRIPTIONS: readonly string[] = ['*', 'payment.*', ...NOTIFIED_TYPES]

/** The id of an event in webhooks and in the feed: `evt_` and its UUID without hyphens. */
export function eventIdOf(id: string): string {
  return `evt_${id.replaceAll('-', '')}`
}

const EVENT_ID = /^evt_([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12})$/

/** The UUID of an event's id; undefined for another string. */
export function uuidOfEvent(eventId: string): string | undefined {
  return EVENT_ID.exec(eventId)?.slice(1).join('-')
}
