import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Helm, packCharts } from '../../e2e/helm.ts'
import { type Manifest, render } from './render.ts'

/** The values for OpenShift: no fixed users or groups, and DNS on port 5353, in every object of every chart. */

const PLATFORM = new URL('../platform', import.meta.url).pathname
const helms = await Helm.all()

let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

describe.each(helms)('$name', ({ program }) => {
  const objects = async (): Promise<readonly Manifest[]> => {
    const files = ['production', 'openshift'].map((name) => `${PLATFORM}/values-${name}.yaml`)
    const values = { auth: { audit: { retentionDays: 30 } } }
    const which = { chart: 'platform', name: '', files, values }
    return (await render(program, charts, which)).all
  }

  it('sets no user and no group', async () => {
    const text = JSON.stringify(await objects())
    expect(text).toContain('"kind":"CronJob"')
    expect(text).toContain('"runAsNonRoot":true')
    expect(text).not.toMatch(/"(runAsUser|runAsGroup|fsGroup|supplementalGroups)":/)
  })

  it('allows DNS only on port 5353 of openshift-dns', async () => {
    const all = await objects()
    const rules = all
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .flatMap(({ spec }) => (spec.egress ?? []) as Manifest[])
      .filter(({ ports }) => ports.some(({ protocol }: Manifest) => protocol === 'UDP'))
    // Both services, their databases, the retention of audit events, and the pods of `helm test`.
    expect(rules).toHaveLength(6)
    for (const { ports, to } of rules) {
      expect(ports.map(({ port }: Manifest) => port as number)).toEqual([5353, 5353])
      expect(to).toEqual([
        { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'openshift-dns' } } },
      ])
    }
  })
})
