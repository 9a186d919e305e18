import { Database } from '@malipo/kit/postgres/database'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { PolledValue } from '@malipo/kit/worker/polled-value'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { readCircuits } from './circuits.store.js'

/** Reports the circuits, which all replicas share: aggregate the series of replicas with max, not sum. */
@Injectable()
export class Circuits {
  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const circuits = new PolledValue(workers, 'provider_circuits_read', () =>
      database.read(readCircuits),
    )
    const options = {
      name: 'provider_circuit_open',
      help: '1 after five failed calls in a row to an account, by call (send, query), until a call succeeds; read from the database, the same in every replica',
      labelNames: ['account' as const, 'call' as const],
    }
    observableGauge(registry, options, (gauge) => {
      gauge.reset()
      for (const { account, call, isOpen } of circuits.value ?? []) {
        gauge.set({ account, call }, Number(isOpen))
      }
    })
  }
}
