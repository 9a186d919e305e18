import { rm } from 'node:fs/promises'
import { BlockList, isIPv6 } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { type Manifest, render, type Rendering, required, template } from './render.ts'

/** What notifications may reach: the variables of payments and its NetworkPolicy. */

const CASES = new URL('cases/', import.meta.url).pathname
const NOTIFIED = `${CASES}payments-notified.yaml`

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

const of = (file: string, values = {}): Promise<Rendering> =>
  render('helm', charts, { chart: 'payments', name: '', files: [file], values })
const variablesOf = ({ find }: Rendering) => find('ConfigMap').data as Record<string, string>
const egressOf = ({ find }: Rendering) =>
  find('NetworkPolicy', '-payments').spec.egress as Manifest[]

interface IpBlock {
  readonly cidr: string
  readonly except?: readonly string[]
}

/** Whether a rule with blocks of addresses allows an address. */
function allows(rules: readonly Manifest[], address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const isIn = (cidr: string) => {
    const [base = '', length] = cidr.split('/')
    if (isIPv6(base) !== (family === 'ipv6')) return false
    const list = new BlockList()
    list.addSubnet(base, Number(length), family)
    return list.check(address, family)
  }
  const blocks = rules.flatMap(({ to }) =>
    (to as Manifest[]).flatMap(({ ipBlock }) => (ipBlock ? [ipBlock as IpBlock] : [])),
  )
  return blocks.some(({ cidr, except = [] }) => isIn(cidr) && !except.some(isIn))
}

describe('egress of notifications', () => {
  it('is open to public addresses, on port 443 and from 1024 on', async () => {
    const rules = egressOf(await of(NOTIFIED))
    const { ports } = rules.find(({ to }) => to[0].ipBlock?.cidr === '0.0.0.0/0')
    expect(ports).toEqual([{ port: 443 }, { port: 1024, endPort: 65_535 }])
    const addresses = ['8.8.8.8', '196.0.2.1', '172.32.0.1', '2606:4700::1111', '64:ff9b::808:808']
    for (const address of addresses) {
      expect([address, allows(rules, address)]).toEqual([address, true])
    }
  })

  it.each([
    ...['10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', '127.0.0.1', '169.254.169.254'],
    ...['168.63.129.16', '0.0.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...['::1', 'fd00::1', 'fe80::1', 'ff02::1', '2001:db8::1', '2002:a00:1::', '64:ff9b:1::1'],
    ...['64:ff9b::a00:1', '64:ff9b::a9fe:a9fe', '64:ff9b::c0a8:101'],
    // The denied networks of the case.
    ...['44.0.3.4', '2600:1f00:abcd::1', '2600:1f00::7'],
  ])('is not open to %s', async (address) => {
    expect(allows(egressOf(await of(NOTIFIED)), address)).toBe(false)
  })

  it('has exceptions that are within their network, each once', async () => {
    const denyCidrs = ['10.0.0.0/8', '10.0.0.0/8', '44.0.0.0/8', 'fd00::/8']
    for (const { to } of egressOf(await of(NOTIFIED, { egress: { denyCidrs } }))) {
      for (const { ipBlock } of to as Manifest[]) {
        const { cidr = '', except = [] } = (ipBlock ?? {}) as Partial<IpBlock>
        expect(new Set(except).size).toBe(except.length)
        expect(except.filter((each) => isIPv6(each.split('/')[0]!) !== cidr.includes(':'))).toEqual(
          [],
        )
      }
    }
  })

  it('is open to the proxy only, if there is one', async () => {
    const rules = egressOf(await of(`${CASES}payments-notified-by-proxy.yaml`))
    expect(allows(rules, '8.8.8.8')).toBe(false)
    expect(rules.at(-1)).toEqual({
      ports: [{ port: 3128 }, { port: 'proxy' }],
      to: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'egress' } },
          podSelector: { matchLabels: { app: 'proxy' } },
        },
      ],
    })
  })

  it('is closed without notifications', async () => {
    const rules = egressOf(await of(NOTIFIED, { notifications: { enabled: false } }))
    expect(allows(rules, '8.8.8.8')).toBe(false)
    expect(rules).toHaveLength(egressOf(await of(NOTIFIED)).length - 1)
  })
})

describe('the variables of notifications', () => {
  it('are the values', async () => {
    expect(variablesOf(await of(NOTIFIED))).toMatchObject({
      EGRESS_DENY_CIDRS: '10.244.0.0/16,44.0.3.4,2600:1f00:abcd::/48,2600:1f00::7',
      NAT64_PREFIX: '2600:64::/96',
    })
    expect(variablesOf(await of(`${CASES}payments-notified-by-proxy.yaml`))).toMatchObject({
      WEBHOOK_PROXY_URL: 'http://proxy.egress:3128',
    })
    const sandbox = variablesOf(await of(`${CASES}payments-not-notified.yaml`))
    expect(sandbox).toMatchObject({ WEBHOOK_ALLOW_HOSTS: 'receiver:8080' })
    expect(sandbox).not.toHaveProperty('EGRESS_DENY_CIDRS')
  })

  it.each([
    [{ egress: { denyCidrs: [] } }, /egress.denyCidrs is required in mode live: list the ranges/],
    [
      { notifications: { allowHosts: ['a'] } },
      /notifications.allowHosts must be empty in mode live/,
    ],
    [
      { notifications: { proxyUrl: 'http://proxy:3128' } },
      /notificationProxy is empty, which would/,
    ],
  ])('are rejected in live as %j', async (values, message) => {
    const rendering = template('helm', charts, { chart: 'payments', files: [], values })
    await expect(rendering).rejects.toThrow(message)
  })

  it('are required of the platform too', async () => {
    const values = { payments: { egress: { denyCidrs: [] } } }
    const rendering = template('helm', charts, { chart: 'platform', files: [], values })
    await expect(rendering).rejects.toThrow(/egress.denyCidrs is required in mode live/)
    expect(required('platform')).toHaveLength(2)
  })
})
