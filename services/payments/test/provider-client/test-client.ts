import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@malipo/kit/telemetry/logger'
import { WorkerMetrics } from '@malipo/kit/worker/worker'
import { Workers } from '@malipo/kit/worker/workers'
import { Registry } from 'prom-client'
import { onTestFinished } from 'vitest'
import type { ProviderAccount } from '../../src/providers/accounts.js'
import type { Adapter } from '../../src/providers/adapter.js'
import { ProviderClient, type SendOutcome } from '../../src/providers/client/provider-client.js'
import { ProviderMetrics } from '../../src/providers/client/provider-metrics.js'
import { MTN_UGANDA } from '../provider-account.js'
import { CHARGE, testAdapter } from './test-adapter.js'

/** A client with the logs and metrics that it writes. */
export interface TestClient {
  readonly client: ProviderClient
  readonly lines: readonly { readonly msg: string; readonly [name: string]: unknown }[]
  /** The value of a series. */
  readonly metric: (
    name: string,
    labels: Readonly<Record<string, string>>,
  ) => Promise<number | undefined>
  /** Asks for money, and returns how far the request came. */
  readonly send: (mayBegin?: () => boolean) => Promise<SendOutcome>
}

export const newFolder = () => mkdtempSync(join(tmpdir(), 'malipo-client-'))

/** A new file with this content. */
export function fileOf(content: string, name = 'file', folder = newFolder()): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

export const always = () => true

/** The fields of an account that limit its calls. */
export const limitedTo = (maxInFlight: number) => ({
  limits: { ...MTN_UGANDA.limits, maxInFlight },
})

interface Options {
  readonly account: Pick<ProviderAccount, 'baseUrl'> & Partial<ProviderAccount>
  readonly adapter?: Adapter
  readonly now?: () => number
}

/** Creates a client, which is closed when the test ends. */
export function startClient({ account, adapter = testAdapter(), now }: Options): TestClient {
  const lines: { msg: string }[] = []
  const log = createLogger('payments', 'debug', {
    write: (line) => void lines.push(JSON.parse(line) as { msg: string }),
  })
  const registry = new Registry()
  const workers = new Workers(log, new WorkerMetrics(registry))
  const metrics = new ProviderMetrics(registry)
  const credentialFiles = [{ apiKey: fileOf('newest-secret') }]
  const complete = { ...MTN_UGANDA, name: 'test', credentialFiles, ...account }
  const client = new ProviderClient(complete, adapter, {
    log,
    metrics,
    workers,
    pauseMaxSeconds: 300,
    now,
  })
  onTestFinished(() => client.close())
  return {
    client,
    lines,
    async metric(name, labels) {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? []
      const isMatch = (given: object) =>
        Object.entries(labels).every(([key, value]) => Reflect.get(given, key) === value)
      return values.find((each) => isMatch(each.labels))?.value
    },
    send: (mayBegin = always) => client.send(CHARGE, mayBegin),
  }
}

/** How far the request of an outcome came, or the kind of another outcome. */
export function phaseOf(outcome: { kind: string; result?: { phase: string } }): string {
  return outcome.result?.phase ?? outcome.kind
}
