import { readFile, rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packCharts } from '../../e2e/helm.ts'
import { problemsOf } from './references.ts'
import { type Rendering, render } from './render.ts'

/** Names of objects: for every length of a release's name, for unusual names, and with overrides. */

const EVERYTHING = new URL('names.yaml', import.meta.url).pathname
const EXTERNAL = ['edge-tls']
const LENGTHS = Array.from({ length: 53 }, (_, i) => i + 1)
/** Helm processes at a time; more would only compete for the cores. */
const CONCURRENCY = 2

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

const platform = (release: string, values: object = {}, chart = 'platform'): Promise<Rendering> =>
  render('helm', charts, {
    chart,
    name: release,
    files: chart === 'platform' ? [EVERYTHING] : [],
    release,
    values,
  })

/** Calls `each` for all items, a few at a time. */
async function forEach<T>(items: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items]
  const work = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await each(item)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
}

const GATEWAY = { edge: { kind: 'gateway', gateway: { parentRefs: [{ name: 'edge' }] } } }

describe('the platform', () => {
  it('resolves every reference with a release name of each length from 1 to 53', async () => {
    const problems: string[] = []
    await forEach(LENGTHS, async (length) => {
      // The first characters are equal, as in previews of branches with long names.
      const release = 'preview-of-the-branch-with-a-name-that-is-rather-long'.slice(0, length)
      const name = release.endsWith('-') ? `${release.slice(0, -1)}x` : release
      const { all } = await platform(name, length % 2 ? GATEWAY : {})
      expect(all.length).toBeGreaterThan(40)
      problems.push(...problemsOf(all, EXTERNAL).map((problem) => `${length}: ${problem}`))
    })
    expect(problems).toEqual([])
  }, 120_000)

  it.each(['1234567', 'true', 'null', '3e5', '0', 'a.b', `${'9.'.repeat(26)}9`, 'y', 'on'])(
    'resolves every reference in the release %s',
    async (release) => {
      expect(problemsOf((await platform(release)).all, EXTERNAL)).toEqual([])
    },
  )

  it('gives two releases whose names differ in the last of 53 characters different names', async () => {
    const base = 'a'.repeat(52)
    const [first, second] = await Promise.all(['b', 'c'].map((end) => platform(base + end)))
    const names = new Set(first?.all.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
    expect(
      second?.all.filter(({ kind, metadata }) => names.has(`${kind} ${metadata.name}`)),
    ).toEqual([])
  })

  it('keeps a short release name unchanged as the prefix', async () => {
    const { find } = await platform('malipo')
    expect(find('Deployment', 'auth').metadata.name).toBe('malipo-auth')
    expect(find('Cluster', 'payments-db').metadata.name).toBe('malipo-payments-db')
  })

  it.each([
    [
      'the name and the port of auth',
      { auth: { fullnameOverride: 'login', service: { port: 8080 } } },
    ],
    [
      'the name and the port of payments',
      { payments: { fullnameOverride: 'pay', service: { port: 80 } } },
    ],
    ['the name of Redis', { redis: { fullnameOverride: 'cache' } }],
    [
      'the name and the port of the simulator',
      { simulator: { fullnameOverride: 'providers', service: { port: 8080 } } },
    ],
    ['the Secret of the simulator', { simulator: { existingSecret: 'edge-tls' } }],
    ['a name of 42 characters', { auth: { fullnameOverride: `a${'-b'.repeat(20)}c` } }],
    ['the Secret of Redis', { redis: { existingSecret: 'edge-tls' } }],
    ['the certificate of Redis', { redis: { tls: { existingSecret: 'edge-tls' } } }],
  ])('resolves every reference after a change of %s', async (_, values) => {
    for (const edge of [{}, GATEWAY]) {
      const { all } = await platform('release', { ...values, ...edge })
      expect(problemsOf(all, EXTERNAL)).toEqual([])
    }
  })

  it('passes the address and the port of auth to payments and its NetworkPolicy', async () => {
    const values = { auth: { fullnameOverride: 'login', service: { port: 8080 } } }
    const { find } = await platform('release', values)
    expect(find('ConfigMap', '-payments').data.AUTH_SERVICE_URL).toBe('http://login:8080')
    const { egress } = find('NetworkPolicy', '-payments').spec
    expect(JSON.stringify(egress)).toContain('"ports":[{"port":8080}]')
  })

  it('connects to Redis with TLS if it has a certificate', async () => {
    const { find } = await platform('release', { redis: { tls: { existingSecret: 'edge-tls' } } })
    expect(find('ConfigMap', '-auth').data).toMatchObject({
      REDIS_URL: 'rediss://release-redis:6379',
      REDIS_CA_FILE: '/secrets/redis/ca.crt',
    })
  })

  it.each([
    [{ auth: { fullnameOverride: 'release-payments' } }, /fullnameOverride .*release-payments/],
    [
      { auth: { fullnameOverride: 'x' }, redis: { fullnameOverride: 'x' } },
      /auth.fullnameOverride/,
    ],
    [{ auth: { fullnameOverride: 'a' }, payments: { fullnameOverride: 'a-db' } }, /a-db/],
    [{ payments: { fullnameOverride: 'release-deny-all' } }, /payments.fullnameOverride/],
    [{ auth: { fullnameOverride: 'release-edge' } }, /auth.fullnameOverride .* the platform/],
    [{ auth: { fullnameOverride: 'a'.repeat(43) } }, /auth: fullnameOverride .* 42 lower-case/],
    [{ payments: { fullnameOverride: 'a' }, simulator: { fullnameOverride: 'a-db' } }, /a-db/],
    [{ redis: { fullnameOverride: '1a' } }, /redis: fullnameOverride .* start with a letter/],
    [{ payments: { fullnameOverride: 'A_b' } }, /payments: fullnameOverride/],
  ])('rejects the names %j', async (values, message) => {
    await expect(platform('release', values)).rejects.toThrow(message)
  })
})

describe('a chart by itself', () => {
  it.each(['auth', 'redis', 'simulator'])(
    '%s resolves every reference with a long release name',
    async (chart) => {
      for (const release of ['r'.repeat(53), '1234567']) {
        const { all } = await platform(release, {}, chart)
        const problems = problemsOf(all).filter((problem) => !/selects nothing/.test(problem))
        expect(problems).toEqual([])
      }
    },
  )
})

describe('a version with build metadata', () => {
  it.each(['0.1.0+2b1c4d5e6f7a', `0.1.0+${'abcdef0123456789'.repeat(5)}`])(
    '%s gives valid labels and image tags',
    async (version) => {
      const folder = await packCharts(async (charts) => {
        for (const chart of [
          'auth',
          'payments',
          'redis',
          'simulator',
          'platform',
          'service-library',
        ]) {
          await setVersion(`${charts}/${chart}/Chart.yaml`, version)
        }
      })
      const { all } = await render('helm', folder, {
        chart: 'platform',
        name: version,
        files: [EVERYTHING],
      })
      await rm(folder, { recursive: true })
      expect(problemsOf(all, EXTERNAL)).toEqual([])
      const images = JSON.stringify(all).matchAll(/"image":"([^"]+)"/g)
      for (const [, image] of images) expect(image).toMatch(/^[-\w./]+:[\w][-\w.]{0,127}$/)
    },
  )
})

/** Sets the version of a chart, of its application and of its dependencies. */
async function setVersion(file: string, version: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replaceAll(/(ersion:) 0\.1\.0/g, `$1 ${version}`))
}
