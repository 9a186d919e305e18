import { rm } from 'node:fs/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { packCharts } from '../../e2e/helm.ts'
import { render, template } from './render.ts'

/**
 * Scalars that YAML would read as another type. Kubernetes reads YAML with rules of both 1.1 (`NO`, `on`) and 1.2
 * (`3e5`), so a rendering is parsed by both.
 */

const EVERYTHING = new URL('names.yaml', import.meta.url).pathname

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

/** The type of each scalar of a rendering by its path. The name of an object is not a part of it. */
function typesOf(text: string, version: '1.1' | '1.2'): Record<string, string> {
  const types: Record<string, string> = {}
  const walk = (path: string, value: unknown) => {
    if (typeof value !== 'object' || value === null)
      types[path] = value === null ? 'null' : typeof value
    else for (const [key, each] of Object.entries(value)) walk(`${path}/${key}`, each)
  }
  for (const [i, document] of parseAllDocuments(text, { version }).entries()) {
    expect(document.errors).toEqual([])
    const object = document.toJSON()
    if (object) walk(`${i} ${object.kind}`, object)
  }
  return types
}

const platform = (release: string, values: object = {}) =>
  template('helm', charts, { chart: 'platform', files: [EVERYTHING], release, values })

async function expectSameTypes(actual: string, expected: string): Promise<void> {
  for (const version of ['1.1', '1.2'] as const) {
    expect(typesOf(actual, version)).toEqual(typesOf(expected, version))
  }
}

describe('a release', () => {
  it.each(['1234567', 'true', 'null', '3e5', 'no', 'y', '0x10', '1.5', '12e03'])(
    'called %s has the types of any other',
    async (release) => {
      const usual = platform('release')
      await expectSameTypes(await platform(release), await usual)
    },
  )

  it('has the types of any other in a namespace called 1234567', async () => {
    const which = { chart: 'platform', files: [EVERYTHING] }
    const text = await template('helm', charts, which, '--namespace', '1234567')
    await expectSameTypes(text, await platform('release'))
  })
})

/** Values of one service: harmless ones, and the same values as YAML or a user would write them. */
const VALUES: readonly [string, object, object][] = [
  ['a country called NO', { defaultRegion: 'UG' }, { defaultRegion: 'NO' }],
  ['a numeric image tag', { image: { tag: 'abc' } }, { image: { tag: '1234567' } }],
  [
    'a number as a PostgreSQL parameter',
    { database: { parameters: { max_connections: '300' } } },
    { database: { parameters: { max_connections: 300 } } },
  ],
  [
    'a boolean as a PostgreSQL parameter',
    { database: { parameters: { jit: 'off' } } },
    { database: { parameters: { jit: false } } },
  ],
  [
    'a boolean as a variable',
    { extraConfig: { TOTALS_METRICS: 'x' } },
    { extraConfig: { TOTALS_METRICS: false } },
  ],
  [
    'a large number as a variable',
    { extraConfig: { A: 'x' } },
    { extraConfig: { A: 123456789012 } },
  ],
  ['a fraction as a variable', { extraConfig: { A: 'x' } }, { extraConfig: { A: 0.25 } }],
  [
    'numbers as pod labels and annotations',
    { podLabels: { a: 'x', b: 'y' }, podAnnotations: { c: 'z' } },
    { podLabels: { a: 1, b: true }, podAnnotations: { c: 1e6 } },
  ],
  ['numbers as node labels', { nodeSelector: { a: 'x' } }, { nodeSelector: { a: 1 } }],
  [
    'a number as a toleration',
    { tolerations: [{ key: 'a', value: 'x', tolerationSeconds: 30 }] },
    { tolerations: [{ key: 'a', value: 1, tolerationSeconds: 30 }] },
  ],
  [
    'numbers in peers',
    { networkPolicy: { from: [{ podSelector: { matchLabels: { a: 'x' } } }] } },
    { networkPolicy: { from: [{ podSelector: { matchLabels: { a: 1 } } }] } },
  ],
  [
    'numbers as labels of monitors and alerts',
    { monitoring: { labels: { a: 'x' }, rules: { labels: { b: 'x' } } } },
    { monitoring: { labels: { a: 1 }, rules: { labels: { b: true } } } },
  ],
  [
    'numbers as annotations',
    { service: { annotations: { a: 'x' } }, serviceAccount: { annotations: { a: 'x' } } },
    { service: { annotations: { a: 1 } }, serviceAccount: { annotations: { a: 1 } } },
  ],
  [
    'a number in the environment of the sidecar',
    { database: { backup: { sidecarEnv: [{ name: 'A', value: 'x' }] } } },
    { database: { backup: { sidecarEnv: [{ name: 'A', value: 1 }] } } },
  ],
  [
    'a number as a DNS option',
    { dnsConfig: { options: [{ name: 'ndots', value: 'x' }] } },
    { dnsConfig: { options: [{ name: 'ndots', value: 2 }] } },
  ],
  [
    'Secrets called true and 1e3',
    { image: { pullSecrets: ['a'] }, redis: { existingSecret: 'a' } },
    { image: { pullSecrets: ['true'] }, redis: { existingSecret: '1e3' } },
  ],
  [
    'a schedule and sizes',
    { database: { storage: { size: '1Gi' }, backup: { schedule: '0 0 2 * * *' } } },
    { database: { storage: { size: '1073741824' }, backup: { schedule: '* * * * * *' } } },
  ],
]

describe('the types of a rendering do not change', () => {
  it.each(VALUES)('with %s', async (_, harmless, given) => {
    const of = (values: object) => platform('release', { auth: values, payments: values })
    const [actual, expected] = await Promise.all([of(given), of(harmless)])
    await expectSameTypes(actual, expected)
  })

  it('with wildcards and numbers at the edge', async () => {
    const of = (hosts: string[], annotation: unknown) =>
      platform('release', { edge: { hosts, ingress: { annotations: { a: annotation } } } })
    await expectSameTypes(await of(['*.example.com'], 1), await of(['example.com'], 'x'))
  })
})

it('keeps all digits of integers', async () => {
  const values = {
    extraConfig: { A: 9007199254740991, B: 1000000, C: -5, D: 1.5, E: '0123', F: null },
    database: { failover: { stopDelaySeconds: 1234567 } },
  }
  const { find } = await render('helm', charts, { chart: 'auth', name: '', files: [], values })
  const { data } = find('ConfigMap')
  expect(data).toMatchObject({ A: '9007199254740991', B: '1000000', C: '-5', D: '1.5', E: '0123' })
  expect(data).not.toHaveProperty('F')
  expect(find('Cluster').spec.stopDelay).toBe(1234567)
})

it('rejects a number that has lost digits', async () => {
  const values = { extraConfig: { A: 2 ** 60 } }
  await expect(template('helm', charts, { chart: 'auth', files: [], values })).rejects.toThrow(
    /may have lost digits: put it into quotes/,
  )
})

it('rejects a number of a file as image tag, since 1.10 would be 1.1', async () => {
  const values = { image: { tag: 8 } }
  await expect(template('helm', charts, { chart: 'auth', files: [], values })).rejects.toThrow(
    /auth: image.tag is the number 8: put it into quotes/,
  )
})

it('takes numbers from the command line', async () => {
  const values = [
    'database.parameters.max_connections=300',
    'podLabels.a=1234567',
    'image.tag=7654321',
  ]
  const flags = values.flatMap((value) => ['--set', value])
  const text = await template('helm', charts, { chart: 'auth', files: [] }, ...flags)
  expect(text).toMatch(/max_connections: "300"/)
  expect(text).toMatch(/ a: "1234567"/)
  expect(text).toMatch(/image: "malipo\/auth:7654321"/)
})

it('lets extraConfig replace a variable of the chart', async () => {
  const values = { extraConfig: { LOG_LEVEL: 'debug', PORT: 3100 } }
  const { text, find } = await render('helm', charts, {
    chart: 'auth',
    name: '',
    files: [],
    values,
  })
  expect(find('ConfigMap').data).toMatchObject({ LOG_LEVEL: 'debug', PORT: '3100' })
  expect(text.match(/^ {2}LOG_LEVEL:/gm)).toHaveLength(1)
})

describe('templates', () => {
  const folder = new URL('..', import.meta.url)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^[\w-]+\/templates\/.*\.(yaml|tpl)$/.test(path),
  )
  /** The value of a key or of an item, if a template action starts it. */
  const VALUE = /^ *(?:- )?(?:[\w./-]+: |- )\{\{-? (.*?) -?\}\}.*$/
  const TYPED = /\| quote$|\| int64$|\binclude "service\.ports"|^add /
  /** Booleans, which the schemas check; alerts are written in a short form, whose strings are quoted later. */
  const BOOLEAN = /^(\$db\.synchronous\.failoverQuorum|\$backup\.immediate|if kindIs "string" \.)$/

  it.each(files)('%s quotes every string and converts every integer', (path) => {
    const lines = readFileSync(new URL(path, folder), 'utf8').split('\n')
    const untyped = lines.filter((line) => {
      const [, action] = VALUE.exec(line) ?? []
      const isAlert =
        /_alerts\.tpl$/.test(path) && /^ *(when|for|- alert|expr|severity):/.test(line)
      return action !== undefined && !isAlert && !TYPED.test(action) && !BOOLEAN.test(action)
    })
    expect(untyped).toEqual([])
  })
})
