import { onTestFinished } from 'vitest'
import { EgressClient } from '../../src/egress/egress-client.js'
import type { EgressPolicy } from '../../src/egress/policy.js'

type Dependencies = NonNullable<ConstructorParameters<typeof EgressClient>[1]>

interface Options extends Dependencies {
  readonly proxyUrl?: string
  readonly policy?: Partial<EgressPolicy>
}

/** Allows the servers of tests. */
export const SANDBOX: EgressPolicy = {
  mode: 'sandbox',
  denied: [],
  nat64: undefined,
  allowHosts: ['127.0.0.1', 'localhost'].map((host) => ({ host, port: undefined })),
}

/** A client that is closed when the test ends. */
export function startEgress({ policy, proxyUrl, ...dependencies }: Options = {}) {
  const client = new EgressClient({ policy: { ...SANDBOX, ...policy }, proxyUrl }, dependencies)
  onTestFinished(() => client.onApplicationShutdown())
  const post = (url: string, signal?: AbortSignal) =>
    client.post({ url, headers: { 'content-type': 'application/json' }, body: '{"a":1}', signal })
  return { client, post }
}
