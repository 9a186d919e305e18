import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { packCharts } from '../../e2e/helm.ts'
import { parseProviders } from '../../services/payments/src/providers/providers-file.ts'
import { ADAPTERS } from '../../services/payments/src/providers/registry.ts'
import { type Manifest, render, type Rendering, template } from './render.ts'

/** Accounts at providers in the values of payments: the file, Secrets, keys of callback URLs, and egress. */

const CASES = new URL('cases/', import.meta.url).pathname
const ACCOUNTS = `${CASES}payments-accounts.yaml`

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

const of = (file: string, values = {}): Promise<Rendering> =>
  render('helm', charts, { chart: 'payments', name: '', files: [file], values })
const fileOf = ({ find }: Rendering) =>
  find('ConfigMap', '-providers').data['providers.yaml'] as string
const podOf = ({ find }: Rendering): Manifest => find('Deployment').spec.template.spec

describe('accounts at providers', () => {
  it('are valid, with their files in the folder of the account', async () => {
    const parsed = parseProviders(fileOf(await of(ACCOUNTS)), 'live', ADAPTERS)
    expect(parsed).toHaveProperty('value.defaultProvider', 'route')
    const { accounts } = (parsed as Manifest).value
    const folder = '/secrets/providers/mtn-ug'
    const current = {
      subscriptionKey: `${folder}/subscription-key`,
      userId: `${folder}/user-id`,
      apiKey: `${folder}/2`,
    }
    expect(accounts[0]).toMatchObject({
      clientCertFile: `${folder}/client.pem`,
      caFile: '/etc/ssl/certs/ca-certificates.crt',
      credentialFiles: [current, { ...current, apiKey: `${folder}/1` }],
      limits: { maxMinor: 5_000_000n },
    })
    expect(accounts[1]).toMatchObject({
      country: 'NO',
      state: 'draining',
      credentialFiles: [{ apiKey: '/vault/secrets/acme-api-key' }],
      limits: { maxMinor: 25_000_000n },
    })
  })

  it('are re-read: whole volumes, and no checksum in the pods', async () => {
    const [one, other] = await Promise.all(
      ['100', '200'].map((max) =>
        of(ACCOUNTS, {
          providers: {
            accounts: [
              { name: 'a', limits: { max }, secretName: 's', credentials: { apiKeyFile: 'k' } },
            ],
          },
        }),
      ),
    )
    expect(fileOf(one!)).not.toBe(fileOf(other!))
    expect(podOf(one!)).toEqual(podOf(other!))
    expect(one!.find('Deployment')).toEqual(other!.find('Deployment'))
    expect(one!.text).not.toContain('subPath')
  })

  it('have their Secrets and the keys of callback URLs', async () => {
    const rendering = await of(ACCOUNTS)
    const { volumes, containers } = podOf(rendering)
    const secrets = (volumes as Manifest[]).flatMap(({ name, secret }) =>
      secret ? [[name as string, secret.secretName as string]] : [],
    )
    expect(secrets).toEqual([
      ['encryption-keys', 'release-payments-encryption-keys'],
      ['provider-mtn-ug', 'release-mtn-ug'],
      ['provider-airtel-ug', 'airtel-ug'],
    ])
    const paths = containers[0].volumeMounts.map(({ mountPath }: Manifest) => mountPath as string)
    expect(paths).toEqual(
      expect.arrayContaining(['/providers', '/secrets/providers/mtn-ug', '/vault/secrets']),
    )
    expect(rendering.find('ConfigMap').data).toMatchObject({
      PROVIDERS_FILE: '/providers/providers.yaml',
      CALLBACK_KEYS_FILE: '/secrets/service/callback-keys',
    })
    const { data } = rendering.find('Secret', '-callback-keys')
    expect(Buffer.from(data['callback-keys'], 'base64').length).toBeGreaterThanOrEqual(32)
    const named = await of(`${CASES}payments-named-callback-keys.yaml`)
    expect(JSON.stringify(podOf(named).volumes)).toContain(
      '{"name":"release-urls","items":[{"key":"keys","path":"callback-keys"}]}',
    )
    expect(named.find('Secret')).toBeUndefined()
  })

  it('open exactly their egress', async () => {
    const egressOf = async (values?: object) => {
      const rendering = await of(ACCOUNTS, values)
      return rendering.find('NetworkPolicy', '-payments').spec.egress as Manifest[]
    }
    const without = await egressOf({ providers: { accounts: [] } })
    const all = await egressOf()
    expect(all.slice(0, without.length)).toEqual(without)
    expect(all.slice(without.length)).toEqual([
      { ports: [{ port: 443 }], to: [{ ipBlock: { cidr: '196.0.2.0/24' } }] },
      { ports: [{ port: 443 }], to: [{ ipBlock: { cidr: '2001:db8::/48' } }] },
      {
        ports: [{ port: 'proxy' }],
        to: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'egress' } },
            podSelector: { matchLabels: { app: 'proxy' } },
          },
        ],
      },
    ])
  })

  it('are none by default, and callback URLs then need no keys', async () => {
    const rendering = await of(`${CASES}service-default.yaml`)
    expect(parse(fileOf(rendering))).toEqual({ defaultProvider: 'manual', accounts: [] })
    expect(rendering.find('ConfigMap').data).not.toHaveProperty('CALLBACK_KEYS_FILE')
    expect(rendering.find('Secret', '-callback-keys')).toBeUndefined()
  })

  it.each([
    [{ name: 'A_b' }, /the name "A_b" must have at most 40 lower-case letters/],
    [{ name: '' }, /the name "" must have/],
    [{ name: 'a', credentials: { apiKeyFile: 'key' } }, /a names keys of a Secret, so it needs/],
    [{ name: 'a', egress: [{ port: 443 }] }, /each egress of a needs a port, and cidr/],
    [{ name: 'a', egress: [{ cidr: '10.0.0.0/8' }] }, /each egress of a needs a port/],
  ])('are rejected as %j', async (account, message) => {
    const values = { providers: { accounts: [account] } }
    const rendering = template('helm', charts, { chart: 'payments', files: [], values })
    await expect(rendering).rejects.toThrow(message)
  })
})

describe('the id of a recovery', () => {
  it('is a variable of payments, and restarts its pods', async () => {
    const restored = await of(`${CASES}payments-restored.yaml`)
    const id = 'restore-2026-01-31T12:00:00+03:00'
    expect(restored.find('ConfigMap').data).toHaveProperty('RECOVERY_ID', id)
    const other = await of(`${CASES}payments-restored.yaml`, { recovery: { id: 'restore-2' } })
    const checksum = ({ find }: Rendering) =>
      find('Deployment').spec.template.metadata.annotations['checksum/config'] as string
    expect(checksum(other)).not.toBe(checksum(restored))
  })

  it('is not set by default', async () => {
    const rendering = await of(`${CASES}service-default.yaml`)
    expect(rendering.find('ConfigMap').data).not.toHaveProperty('RECOVERY_ID')
  })

  it.each(['a b', 'ü', 'a'.repeat(101)])('is rejected as %s', async (id) => {
    const values = { recovery: { id } }
    const rendering = template('helm', charts, { chart: 'payments', files: [], values })
    await expect(rendering).rejects.toThrow(/recovery.id: .* must have 1 to 100 letters/)
  })
})

describe('the keys of webhook endpoints', () => {
  it('are generated as a symmetric JWK, and mounted as a folder', async () => {
    const rendering = await of(`${CASES}service-default.yaml`)
    const { data } = rendering.find('Secret', '-encryption-keys')
    const text = Buffer.from(data['first.json'], 'base64').toString()
    const { k, ...key } = JSON.parse(text) as { k: string }
    expect(key).toEqual({ kty: 'oct', kid: 'first', nbf: 0 })
    expect(k).toMatch(/^[\w-]{43}$/)
    const { WEBHOOK_ENCRYPTION_KEYS_DIR: folder } = rendering.find('ConfigMap').data
    const { containers } = podOf(rendering)
    expect(containers[0].volumeMounts).toContainEqual({
      name: 'encryption-keys',
      mountPath: folder,
      readOnly: true,
    })
  })

  it('can be in a named Secret', async () => {
    const named = await of(`${CASES}payments-named-callback-keys.yaml`)
    const [keys] = (podOf(named).volumes as Manifest[]).filter(
      ({ name }) => name === 'encryption-keys',
    )
    expect(keys?.secret.secretName).toBe('release-seals')
  })
})
