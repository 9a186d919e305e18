import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { template } from './render.ts'

/** Values that contradict each other, or that would render an object with an unintended effect. */

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

describe.each(['auth', 'payments'])('%s', (service) => {
  it.each([
    [
      'an external database without a host',
      { database: { kind: 'external' }, networkPolicy: { enabled: false } },
      /database.external.host/,
    ],
    [
      'an external database without peers',
      { database: { kind: 'external', external: { host: 'a', existingSecret: 'b' } } },
      /networkPolicy.database is empty/,
    ],
    [
      'a policy without peers of the operator',
      { networkPolicy: { operator: [] } },
      /networkPolicy.operator is empty/,
    ],
    [
      'a policy without CIDRs of the API server',
      { networkPolicy: { apiServer: { cidrs: [] } } },
      /apiServer.cidrs is empty/,
    ],
    [
      'a trace collector without peers',
      { tracing: { endpoint: 'http://collector:4318' } },
      /networkPolicy.collector is empty/,
    ],
    [
      'a policy without ports of DNS',
      { networkPolicy: { dnsPorts: [] } },
      /networkPolicy.dnsPorts is empty/,
    ],
    [
      'Sentinels without the name of their master',
      { redis: { sentinels: ['a:26379'] } },
      /redis.sentinelMaster is required with redis.sentinels/,
    ],
    [
      'a CA certificate of Redis without TLS',
      { redis: { url: 'redis://cache:6379', caSecret: 'ca' } },
      /redis.caSecret contradicts redis:\/\//,
    ],
    [
      'a CA certificate of a database without TLS',
      {
        networkPolicy: { enabled: false },
        database: {
          kind: 'external',
          external: { host: 'a', existingSecret: 'b', tls: { enabled: false, caSecret: 'ca' } },
        },
      },
      /caSecret contradicts database.external.tls.enabled/,
    ],
    ['a policy without peers of DNS', { networkPolicy: { dns: [] } }, /networkPolicy.dns is empty/],
    [
      'more pods than max_connections allows',
      { autoscaling: { enabled: true, maxReplicas: 30 } },
      /30 pods with 8 connections need 268/,
    ],
    [
      'larger pools than max_connections allows',
      { replicas: 4, database: { poolMax: 50 } },
      /4 pods with 50 connections need 270/,
    ],
    [
      'backups without a destination',
      { database: { backup: { enabled: true } } },
      /database.backup.destinationPath/,
    ],
    [
      'a restore without a server name',
      { database: { restore: { enabled: true }, backup: { destinationPath: 's3://a' } } },
      /database.restore.serverName/,
    ],
  ])('rejects %s', async (_, values, message) => {
    await expect(rendered(service, values)).rejects.toThrow(message)
  })

  it('allows more pods behind a pooler', async () => {
    const values = { replicas: 40, database: { pooler: { enabled: true } } }
    expect(await rendered(service, values)).toContain('replicas: 40')
  })
})

function rendered(chart: string, values: object): Promise<string> {
  const flags = Object.entries(values).flatMap(([key, value]) => [
    '--set-json',
    `${key}=${JSON.stringify(value)}`,
  ])
  return template('helm', charts, { chart, files: [] }, ...flags)
}
