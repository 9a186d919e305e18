import { Database } from '@malipo/kit/postgres/database'
import { observableGauge } from '@malipo/kit/telemetry/metrics'
import { Workers } from '@malipo/kit/worker/workers'
import { Inject, Injectable } from '@nestjs/common'
import { Registry } from 'prom-client'
import { type Circuit, readCircuits } from './circuits.store.js'

const READ_EVERY_MS = 5_000
/** Metrics report no older state: while the database is down, the current one is unknown. */
const CIRCUITS_TTL_MS = 15_000

/** Reports the circuits, which all replicas share: aggregate the series of replicas with max, not sum. */
@Injectable()
export class Circuits {
  private lastRead: { readonly circuits: readonly Circuit[]; readonly at: number } | undefined

  constructor(
    @Inject(Database) database: Database,
    @Inject(Workers) workers: Workers,
    @Inject(Registry) registry: Registry,
  ) {
    const options = {
      name: 'provider_circuit_open',
      help: '1 after five failed calls in a row to an account, by call (send, query), until a call succeeds; read from the database, the same in every replica',
      labelNames: ['account' as const, 'call' as const],
    }
    observableGauge(registry, options, (gauge) => {
      gauge.reset()
      for (const { account, call, isOpen } of this.circuits) {
        gauge.set({ account, call }, Number(isOpen))
      }
    })
    workers.add({
      name: 'provider_circuits_read',
      intervalMs: READ_EVERY_MS,
      run: async () => {
        const circuits = await database.read(readCircuits)
        this.lastRead = { circuits, at: performance.now() }
      },
    })
  }

  private get circuits(): readonly Circuit[] {
    const { lastRead } = this
    const isFresh = lastRead && performance.now() - lastRead.at < CIRCUITS_TTL_MS
    return isFresh ? lastRead.circuits : []
  }
}
