import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { run } from '../../e2e/cluster.ts'
import { Helm, packCharts } from '../../e2e/helm.ts'
import { problemsOf } from './references.ts'
import { render, template } from './render.ts'

/** Rendering without a cluster, as Argo CD, Flux and `helm template` do: no random values, the same bytes each time. */

const CHARTS = new URL('..', import.meta.url).pathname
const PLATFORM = `${CHARTS}platform`
const PRODUCTION = `${PLATFORM}/values-production.yaml`
const MANIFESTS = new URL('../../k8s/values.yaml', import.meta.url).pathname
const helms = await Helm.all()

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

const EXTERNAL_SECRETS = {
  global: { secrets: { create: false } },
  auth: { externalSecrets: { enabled: true } },
  payments: { externalSecrets: { enabled: true } },
  redis: { externalSecrets: { enabled: true } },
}

/** The first YAML example of a section of docs/gitops.md. */
function exampleOf(section: string): object {
  const text = readFileSync(new URL('../../docs/gitops.md', import.meta.url), 'utf8')
  const [, example] = /```yaml\n(.*?)```/s.exec(text.split(`## ${section}\n`)[1] ?? '') ?? []
  return parse(example ?? '') as object
}

describe.each(helms)('$name', ({ program }) => {
  it.each([
    ['production', { files: [PRODUCTION] }],
    ['the manifests of k8s', { files: [`${PLATFORM}/values-staging.yaml`, MANIFESTS] }],
    ['production on OpenShift', { files: [PRODUCTION, `${PLATFORM}/values-openshift.yaml`] }],
    ['External Secrets', { files: [], values: EXTERNAL_SECRETS }],
  ])('renders %s twice to the same bytes', async (_, which) => {
    const [first, second] = await Promise.all(
      [1, 2].map(() => template(program, charts, { chart: 'platform', ...which })),
    )
    expect(first).toContain('kind: Deployment')
    expect(first).toBe(second)
  })

  it('renders after `helm dependency build` of the platform chart only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'malipo-clone-'))
    const isSource = (path: string) => !/^\w+\/(charts|Chart\.lock)$/.test(path.replace(CHARTS, ''))
    await cp(CHARTS, folder, { recursive: true, filter: isSource })
    await run(program, ['dependency', 'build', `${folder}/platform`])
    const which = { chart: 'platform', files: [PRODUCTION] }
    const clone = await template(program, folder, which)
    await rm(folder, { recursive: true })
    expect(clone).toBe(await template(program, charts, which))
  })
})

describe('secrets.create: false', () => {
  const kindsOf = async (which: { files: string[]; values?: object }) => {
    const { all } = await render('helm', charts, { chart: 'platform', name: '', ...which })
    return all.map(({ kind }) => kind as string)
  }

  it('is the default of production, which refers to named Secrets only', async () => {
    const which = { chart: 'platform', name: '', files: [PRODUCTION], release: 'other' }
    const { all } = await render('helm', charts, which)
    expect(all.filter(({ kind }) => kind === 'Secret')).toEqual([])
    const keys = ['auth-refresh-keys', 'payments-token-cache-keys', 'payments-encryption-keys']
    const names = ['auth', ...keys, 'payments', 'redis', 'backups', 'tls']
    const roles = ['auth-db-service', 'payments-db-service']
    const secrets = [...names, ...roles].map((name) => `malipo-${name}`)
    expect(problemsOf(all, secrets)).toEqual([])
  })

  it.each([
    ['without names', { files: [], values: EXTERNAL_SECRETS }],
    [
      'by the example of docs/gitops.md after production’s values',
      { files: [PRODUCTION], values: exampleOf('External Secrets') },
    ],
  ])('creates ExternalSecrets %s', async (_, which) => {
    const kinds = await kindsOf(which)
    expect(kinds).not.toContain('Secret')
    expect(kinds.filter((kind) => kind === 'ExternalSecret')).toHaveLength(8)
  })

  it.each([
    ['auth', { jwt: { existingSecret: '' } }, 'auth: jwt.existingSecret'],
    [
      'auth',
      { session: { refreshKeys: { existingSecret: '' } } },
      'auth: session.refreshKeys.existingSecret',
    ],
    ['auth', { database: { serviceSecret: '' } }, 'auth: database.serviceSecret'],
    ['payments', { webhooks: { existingSecret: '' } }, 'payments: webhooks.existingSecret'],
    [
      'payments',
      { tokenCache: { keys: { existingSecret: '' } } },
      'payments: tokenCache.keys.existingSecret',
    ],
    [
      'payments',
      { encryptionKeys: { existingSecret: '' } },
      'payments: encryptionKeys.existingSecret',
    ],
    ['payments', { database: { serviceSecret: '' } }, 'payments: database.serviceSecret'],
    [
      'payments',
      {
        callbackKeys: { existingSecret: '' },
        providers: { accounts: [{ name: 'acme', credentials: {} }] },
      },
      'payments: callbackKeys.existingSecret',
    ],
    ['redis', { existingSecret: '' }, 'redis: existingSecret'],
  ])('rejects %s with %j by the name of the missing value', async (chart, values, message) => {
    const rendering = kindsOf({ files: [PRODUCTION], values: { [chart]: values } })
    await expect(rendering).rejects.toThrow(
      `${message} is required, because secrets.create is false`,
    )
  })

  it.each(['auth', 'payments', 'redis', 'simulator'])('applies to %s by itself', async (chart) => {
    const values = { secrets: { create: false } }
    const rendering = template('helm', charts, { chart, files: [], values })
    await expect(rendering).rejects.toThrow(/because secrets\.create is false/)
  })

  it.each(['auth', 'payments', 'redis'])(
    'applies to %s as a part of the platform',
    async (chart) => {
      const rendering = kindsOf({ files: [], values: { [chart]: { secrets: { create: false } } } })
      await expect(rendering).rejects.toThrow(
        new RegExp(`${chart}: .* because secrets.create is false`),
      )
    },
  )

  it('needs no JWT secret if tokens are signed with a key set', async () => {
    const values = { auth: { jwt: { secret: false, keysSecret: 'keys', existingSecret: '' } } }
    expect(await kindsOf({ files: [PRODUCTION], values })).not.toContain('Secret')
  })
})
