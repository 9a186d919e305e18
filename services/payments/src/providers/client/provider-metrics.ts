import { Inject, Injectable } from '@nestjs/common'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import {
  type Flag,
  FLAGS,
  type GrantReading,
  type QueryReading,
  type SendReading,
} from '../reading.js'

export type CallKind = 'send' | 'query' | 'grant'

/** `not_begun` and `repeat` are those of the outcomes; the others are readings. */
const RESULTS = {
  send: ['declined', 'pending', 'not_sent', 'may_have_happened', 'not_begun', 'repeat'],
  query: [
    ...['declined', 'pending', 'succeeded', 'unknown_there', 'no_news', 'not_begun', 'repeat'],
  ],
  grant: ['granted', 'refused', 'unavailable'],
} as const satisfies Record<CallKind, readonly string[]>

export type CallResultLabel =
  (SendReading | QueryReading | GrantReading)['kind'] | 'not_begun' | 'repeat'

/** Buckets in seconds, from a provider nearby to the longest timeout of a call. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30]

/** Metrics of all clients of accounts. Labels are names of PROVIDERS_FILE and of this code. */
@Injectable()
export class ProviderMetrics {
  private readonly calls: Counter<'account' | 'call' | 'result'>
  private readonly durations: Histogram<'account' | 'call'>
  private readonly flags: Counter<'account' | 'flag'>
  private readonly inFlight: Gauge<'account'>
  private readonly unreadable: Gauge<'account'>

  constructor(@Inject(Registry) registry: Registry) {
    const registers = [registry]
    this.calls = new Counter({
      name: 'provider_calls_total',
      help: 'Calls to providers by account, call (send, query, grant) and result: what the answer means; not_begun if nothing was written, repeat if a grant was rejected',
      labelNames: ['account', 'call', 'result'],
      registers,
    })
    this.durations = new Histogram({
      name: 'provider_call_duration_seconds',
      help: 'Time from the beginning of a request to a provider to its answer or its end, without the time that it waits',
      labelNames: ['account', 'call'],
      buckets: BUCKETS,
      registers,
    })
    this.flags = new Counter({
      name: 'provider_readings_flagged_total',
      help: `Answers of providers with a flag: ${Object.keys(FLAGS).join(', ')}`,
      labelNames: ['account', 'flag'],
      registers,
    })
    this.inFlight = new Gauge({
      name: 'provider_calls_in_flight',
      help: 'Calls to providers that have no result yet, those that wait included',
      labelNames: ['account'],
      registers,
    })
    this.unreadable = new Gauge({
      name: 'provider_credentials_unreadable',
      help: '1 while a credential file of an account is unreadable or empty, or a certificate file has no certificate: the previous content stays in use',
      labelNames: ['account'],
      registers,
    })
  }

  /** Exports the series of an account, because `rate()` misses an increment that creates one. */
  register(account: string, calls: readonly CallKind[]) {
    for (const call of calls) {
      for (const result of RESULTS[call]) this.calls.inc({ account, call, result }, 0)
      this.durations.zero({ account, call })
    }
    for (const flag of Object.keys(FLAGS)) this.flags.inc({ account, flag }, 0)
    this.inFlight.inc({ account }, 0)
    this.unreadable.set({ account }, 0)
  }

  /** Counts a call while it is in flight, and its result. */
  async count<Value>(
    { account, call }: { readonly account: string; readonly call: CallKind },
    work: () => Promise<Value>,
    resultOf: (value: Value) => CallResultLabel,
  ): Promise<Value> {
    this.inFlight.inc({ account })
    try {
      const value = await work()
      this.calls.inc({ account, call, result: resultOf(value) })
      return value
    } finally {
      this.inFlight.dec({ account })
    }
  }

  observe(account: string, call: CallKind, durationMs: number) {
    this.durations.observe({ account, call }, durationMs / 1_000)
  }

  recordFlags(account: string, flags: readonly Flag[]) {
    for (const flag of flags) this.flags.inc({ account, flag })
  }

  setUnreadable(account: string, isUnreadable: boolean) {
    this.unreadable.set({ account }, Number(isUnreadable))
  }
}
