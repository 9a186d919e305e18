import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { packCharts } from '../../e2e/helm.ts'
import { parseProviders } from '../../services/payments/src/providers/providers-file.ts'
import { ADAPTERS } from '../../services/payments/src/providers/registry.ts'
import {
  accountsFile,
  credentialFiles,
  providersFile,
} from '../../services/simulator/src/sandbox/accounts.ts'
import { type Manifest, render, type Rendering, template } from './render.ts'

/** The simulator, and the accounts at it that payments gets. */

const CASES = new URL('cases/', import.meta.url).pathname
const LOCAL = new URL('../platform/values-local.yaml', import.meta.url).pathname

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

const of = (chart: string, file: string, values = {}): Promise<Rendering> =>
  render('helm', charts, { chart, name: '', files: [file], values })
const fileOf = ({ find }: Rendering) =>
  find('ConfigMap', '-providers').data['providers.yaml'] as string
const podOf = ({ find }: Rendering, name: string): Manifest =>
  find('Deployment', name).spec.template.spec

describe('the accounts of a sandbox', () => {
  it('are those of `make up` and docker compose', async () => {
    const { accounts, ...file } = parse(fileOf(await of('platform', LOCAL)))
    const expected = providersFile(
      { simulator: 'http://release-simulator:4100', payments: 'http://release-payments:4000' },
      '',
    )
    expect(file).toEqual({ defaultProvider: expected.defaultProvider })
    expect(accounts).toEqual(
      expected.accounts.map((account) => ({
        ...account,
        credentials: Object.fromEntries(
          Object.entries(account.credentials).map(([field, key]) => [
            field,
            `/secrets/providers/${account.name}/${key}`,
          ]),
        ),
      })),
    )
  })

  it('are valid', async () => {
    const parsed = parseProviders(fileOf(await of('platform', LOCAL)), 'sandbox', ADAPTERS)
    expect(parsed).toHaveProperty('value')
  })

  it('are known to the simulator', async () => {
    const { find } = await of('platform', LOCAL)
    const content = JSON.parse(find('ConfigMap', 'simulator-accounts').data['accounts.json'])
    expect(content).toEqual(accountsFile({ payments: 'http://release-payments:4000' }))
  })

  it('have credentials, which payments and the simulator mount from one Secret', async () => {
    const rendering = await of('platform', LOCAL)
    const { data } = rendering.find('Secret', '-simulator')
    expect(Object.keys(data).toSorted()).toEqual(credentialFiles().toSorted())
    expect(new Set(Object.values(data)).size).toBe(credentialFiles().length)
    const { volumes } = podOf(rendering, '-simulator')
    const sources = volumes.find(({ name }: Manifest) => name === 'accounts').projected.sources
    expect(sources).toContainEqual({ secret: { name: 'release-simulator' } })
  })

  it('precede no account of the values, and have the names and ports of the release', async () => {
    const { accounts } = parse(fileOf(await of('platform', `${CASES}platform-simulator.yaml`)))
    const [own, simulated] = accounts as Manifest[]
    expect(own.name).toBe('own')
    expect(simulated).toMatchObject({
      baseUrl: 'http://own-simulator:8080',
      callbackOrigin: 'http://own-payments:80',
    })
  })

  it('may have callbacks to payments of another release', async () => {
    const rendering = await of('platform', `${CASES}platform-foreign-callbacks.yaml`)
    expect(fileOf(rendering)).toContain('callbackOrigin: http://release-other:4000\n')
    const text = rendering.find('ConfigMap', 'simulator-accounts').data['accounts.json'] as string
    expect(text).toContain('"callbackHost": "release-other:4000"')
    expect(text).not.toContain('invalid')
  })

  it('do not exist in live mode', async () => {
    const live = { global: { mode: 'live' } }
    for (const [chart, values] of [
      ['simulator', live],
      ['platform', { ...live, simulator: { enabled: true } }],
    ] as const) {
      const rendering = template('helm', charts, { chart, files: [], values })
      await expect(rendering).rejects.toThrow(/installs only in mode sandbox/)
    }
  })
})

describe('the simulator', () => {
  it('exchanges traffic with payments only', async () => {
    const rendering = await of('platform', `${CASES}platform-simulator.yaml`)
    const payments = [
      {
        podSelector: {
          matchLabels: {
            'app.kubernetes.io/name': 'payments',
            'app.kubernetes.io/part-of': 'malipo',
          },
        },
      },
    ]
    const { ingress, egress } = rendering.find('NetworkPolicy', 'own-simulator').spec
    expect(ingress).toEqual([{ ports: [{ port: 'http' }], from: payments }])
    expect(egress).toHaveLength(2)
    expect(egress[1]).toEqual({ ports: [{ port: 80 }], to: payments })
    const simulator = {
      podSelector: {
        matchLabels: {
          'app.kubernetes.io/name': 'simulator',
          'app.kubernetes.io/instance': 'release',
        },
      },
    }
    const policy = rendering.find('NetworkPolicy', 'own-payments').spec
    expect(policy.ingress[0].from).toContainEqual(simulator)
    const rules = (policy.egress as Manifest[]).filter(({ ports }) => ports[0].port === 8080)
    expect(rules).toEqual([{ ports: [{ port: 8080 }], to: [simulator] }])
  })

  it('has one process, whose book persists', async () => {
    const rendering = await of('simulator', `${CASES}simulator-default.yaml`)
    expect(rendering.find('Deployment').spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    })
    const claim = rendering.find('PersistentVolumeClaim')
    expect(claim.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
    const temporary = await of('simulator', `${CASES}simulator-adapted.yaml`)
    expect(temporary.find('PersistentVolumeClaim')).toBeUndefined()
    expect(podOf(temporary, '').volumes).toContainEqual({
      name: 'book',
      emptyDir: { sizeLimit: '1Gi' },
    })
  })

  it('starts again when its settings or its accounts change', async () => {
    const checksum = async (values: object) => {
      const rendering = await of('simulator', `${CASES}simulator-default.yaml`, values)
      return rendering.find('Deployment').spec.template.metadata.annotations['checksum/config']
    }
    const usual = await checksum({})
    expect(await checksum({})).toBe(usual)
    expect(await checksum({ timeScale: '0.1' })).not.toBe(usual)
    // The address of payments is in the accounts.
    const which = { chart: 'simulator', files: [] }
    const other = await template('helm', charts, which, '--set', 'paymentsUrl=http://other:4000')
    expect(other).not.toContain(usual)
  })
})
