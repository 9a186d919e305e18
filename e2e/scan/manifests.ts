import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { CommandError, run } from '../cluster.ts'
import { type Exception, EXCEPTIONS } from './exceptions.ts'
import { ROOT, TOOLS } from './tools.ts'

/** Findings of checkov and kube-score, without those of `EXCEPTIONS`. */

interface Finding {
  /** The tool's name of the rule. */
  readonly check: string
  /** The file's name without its extension. */
  readonly shape: string
  /** The object's kind and name, and for kube-score also its API version and the container. */
  readonly object: string
  readonly text: string
}

interface CheckovReport {
  readonly results: { readonly failed_checks: readonly CheckovCheck[] }
  readonly summary: { readonly parsing_errors: number }
}
interface CheckovCheck {
  readonly check_id: string
  readonly check_name: string
  readonly file_path: string
  readonly resource: string
}
interface KubeScoreObject {
  readonly object_name: string
  readonly checks: readonly {
    readonly check: { readonly id: string }
    readonly grade: number
    readonly skipped: boolean
    readonly comments: readonly { readonly path: string; readonly summary: string }[] | null
  }[]
}

const LIMIT_MS = 300_000
/** kube-score's grade of a check without findings. */
const ALL_OK = 10
const KUBERNETES_VERSION = 'v1.34'
const KUBE_SCORE = [
  ...['score', '--output-format', 'json', '--kubernetes-version', KUBERNETES_VERSION],
  // For the reason of CKV_K8S_11 in `EXCEPTIONS`; other resources are checked.
  '--ignore-container-cpu-limit',
]
const CHECKOV = ['--quiet', '--compact', '--skip-download']

/** Its exceptions are comments `checkov:skip` in the Dockerfile. */
export async function checkDockerfile(): Promise<void> {
  await run(TOOLS.checkov, [...CHECKOV, '--file', `${ROOT}Dockerfile`, '--framework', 'dockerfile'])
}

/** @throws if a finding has no exception, or an exception has no finding */
export async function checkShapes(folder: string): Promise<void> {
  const findings = await checkov(folder)
  for (const file of await readdir(folder)) findings.push(...(await kubeScore(`${folder}/${file}`)))
  const open = findings.filter((finding) => !EXCEPTIONS.some((each) => covers(each, finding)))
  const unused = EXCEPTIONS.filter((each) => !findings.some((finding) => covers(each, finding)))
  const lines = [
    ...open.map(({ check, shape, object, text }) => `${check} in ${shape}, ${object}: ${text}`),
    ...unused.map(
      ({ checks, reason }) => `no finding needs the exception ${checks.join(', ')}: ${reason}`,
    ),
  ]
  if (lines.length > 0) throw new Error(lines.join('\n'))
}

async function checkov(folder: string): Promise<Finding[]> {
  const args = ['--directory', '.', '--framework', 'kubernetes', '--output', 'json', '--soft-fail']
  // It skips folders below one whose name begins with a period, so the path is relative.
  const options = { cwd: folder, timeoutMs: LIMIT_MS }
  const { results, summary } = JSON.parse(
    await run(TOOLS.checkov, [...CHECKOV, ...args], options),
  ) as Partial<CheckovReport>
  if (!results || summary?.parsing_errors !== 0) throw new Error('checkov did not read every shape')
  return results.failed_checks.map((failed) => ({
    check: failed.check_id,
    shape: shapeOf(failed.file_path),
    object: failed.resource,
    text: failed.check_name,
  }))
}

async function kubeScore(file: string): Promise<Finding[]> {
  const text = await run(TOOLS['kube-score'], [...KUBE_SCORE, file]).catch((error: unknown) => {
    // Its exit status is 1 if it has findings.
    if (error instanceof CommandError && error.output.startsWith('[')) return error.output
    throw error
  })
  return (JSON.parse(text) as KubeScoreObject[]).flatMap(({ object_name: object, checks }) =>
    checks
      .filter(({ grade, skipped }) => !skipped && grade < ALL_OK)
      .flatMap(({ check, comments }) =>
        (comments ?? []).map(({ path, summary }) => ({
          check: check.id,
          shape: shapeOf(file),
          object,
          text: `${path} ${summary}`.trim(),
        })),
      ),
  )
}

const shapeOf = (path: string) => basename(path, '.yaml')

function covers({ checks, shape, object }: Exception, finding: Finding): boolean {
  if (!checks.includes(finding.check)) return false
  return (shape?.test(finding.shape) ?? true) && (object?.test(finding.object) ?? true)
}
