import { existsSync, readdirSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { run } from '../../e2e/cluster.ts'

/** Renders charts by `helm template` with the values of a case. */

const HERE = new URL('./', import.meta.url).pathname
const PLATFORM = new URL('../platform', import.meta.url).pathname

/** A set of values: a file whose name starts with the chart's name, or with `service` for both services. */
export interface Case {
  readonly chart: string
  readonly name: string
  readonly files: readonly string[]
  readonly release?: string
  /** Values in addition to those of the files. */
  readonly values?: object
}

/** Every file of `cases` with each of its charts, and the platform with each of its values files. */
export function allCases(): Case[] {
  const cases = readdirSync(`${HERE}cases`).flatMap((file) => {
    const [kind = '', name = ''] = file.replace('.yaml', '').split(/-(.*)/)
    const charts = kind === 'service' ? ['auth', 'payments'] : [kind]
    return charts.map((chart) => ({ chart, name, files: [`${HERE}cases/${file}`] }))
  })
  const whole = readdirSync(PLATFORM)
    .filter((file) => file.startsWith('values-'))
    .map((file) => ({ chart: 'platform', name: file, files: [`${PLATFORM}/${file}`] }))
  return [...cases, ...whole]
}

// oxlint-disable-next-line typescript/no-explicit-any -- a manifest of any kind, inspected by tests
export type Manifest = any

export interface Rendering {
  readonly text: string
  /** The object of a kind whose name ends with a suffix; the one with the shortest name if there are several. */
  readonly find: (kind: string, suffix?: string) => Manifest
  readonly all: readonly Manifest[]
}

/** The flags with the values that a chart requires, and that cases may override. */
export function required(chart: string): string[] {
  const file = `${HERE}required/${chart}.yaml`
  return existsSync(file) ? ['--values', file] : []
}

/** Output of `helm template` for a chart in `folder`. With `--debug`, helm also prints output that is not valid YAML. */
export function template(
  program: string,
  folder: string,
  { chart, files, release = 'release', values }: Omit<Case, 'name'>,
  ...flags: string[]
): Promise<string> {
  const from = files.flatMap((file) => ['--values', file])
  const own = values ? ['--values', '-'] : []
  const args = ['template', release, '--namespace', 'ns', `${folder}/${chart}`]
  const input = values ? { input: JSON.stringify(values) } : {}
  return run(program, [...args, ...required(chart), ...from, ...own, ...flags], input)
}

export async function render(program: string, folder: string, which: Case): Promise<Rendering> {
  const text = await template(program, folder, which)
  const all = parseAllDocuments(text)
    .map((document) => document.toJSON())
    .filter(Boolean)
  const find = (kind: string, suffix = '') =>
    all
      .filter((each) => each.kind === kind && each.metadata.name.endsWith(suffix))
      .toSorted((a, b) => a.metadata.name.length - b.metadata.name.length)[0]
  return { text, all, find }
}

/** The pod specs of a rendering, with the kind and name of their objects. */
export function podsOf({ all }: Rendering): { name: string; spec: Manifest }[] {
  return all
    .filter(({ kind }) => ['Deployment', 'CronJob', 'Pod'].includes(kind as string))
    .map(({ kind, metadata, spec }) => {
      const { template } = kind === 'CronJob' ? spec.jobTemplate.spec : spec
      return { name: `${kind} ${metadata.name}`, spec: kind === 'Pod' ? spec : template.spec }
    })
}

export const containersOf = (spec: Manifest): Manifest[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
]
