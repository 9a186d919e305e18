import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/**
 * Branch coverage of templates. Both branches of every `if`, `with` and `range` in a copy of the charts get a marker;
 * the markers in a rendering show which branches it took.
 *
 * The markers break the YAML around them; helm still prints the output with `--debug`.
 */

export interface Branch {
  readonly file: string
  readonly line: number
  /** The action, such as `if .Values.autoscaling.enabled`. */
  readonly action: string
  /** True for the branch taken when the condition holds. */
  readonly holds: boolean
}

const ACTION =
  /\{\{-?\s*(?:\/\*[^]*?\*\/|(if|with|range|else|end|define|block)\b\s*((?:"[^"]*"|[^"}])*?))\s*-?\}\}/g
const MARKER = /@@(\d+)@@/g
/** An action that parses the output of another template, in which markers would be invalid. */
const PARSING =
  /\{\{-?[^}]*?(include (?:"[^"]+"|\([^()]*\)) (?:[$.\w]+|\([^()]*(?:\([^()]*\)[^()]*)*\))) \| from(?:Yaml|Json|YamlArray)\b/g

/** Actions on values that are never empty, so that only one branch is possible. */
const NEVER_EMPTY = [
  /^range (\$\w+ := )?list /,
  /^range \$\w+, \$\w+ := dict "/,
  // Parsed output of templates: alerts, routes and settings.
  /^range .* := regexReplaceAll /,
  /^range \$path := get \$routes/,
  /^range \$routes\./,
  /\| default \(list ""\)$/,
  // Inside `with` of the same list.
  /^range \.$/,
  // `service.requireNonEmpty` rejects empty lists.
  /^range \$policy\.(dnsPorts|apiServer\.cidrs)$/,
  /^range \$name, \$list := \.$/,
  // The keys of a Secret are literals in the templates.
  /^range \$key(, \$value)? := index \. 3$/,
  // Lists that are literals in the templates, or values that are merged with a literal.
  /^range \$kind, \$percent := dict /,
  /^range \$suffix := \$suffixes$/,
  /^range \$chart := keys \.Subcharts/,
  /^with get \$\.Subcharts /,
  /^range \.Values\.monitoring\.burnRates$/,
  /^range \$window := uniq/,
  /^range \$objective := \.Values/,
  /^range \$burn := \$root/,
  /^range \$path, \$_ := \.Files\.Glob/,
  // The accounts in the simulator's files.
  /^range \$account := \(\.Files\.Get /,
  /^range \$key := values \$account\.credentials/,
  // The objects of each chart that the platform renders.
  /^range \$chart, \$names := \$charts$/,
  /^range \$name := \$names$/,
  // A group of values is never empty.
  /^with \.Values\.autoscaling$/,
]

/** If a condition that holds makes the rendering fail, only the tests of rejected values take that branch. */
const FAILS = /^\s*\{\{-?\s*fail /

/** Adds markers to every template in a folder; the index of a branch is the number of its marker. */
export async function markBranches(charts: string): Promise<Branch[]> {
  const branches: Branch[] = []
  for (const path of await readdir(charts, { recursive: true })) {
    if (!/^[\w-]+\/templates\/.*\.(yaml|tpl|txt)$/.test(path)) continue
    const file = join(charts, path)
    const text = separateMarkers(await readFile(file, 'utf8'))
    const marked = addMarkers(text, relative(charts, file), branches)
    await writeFile(file, marked)
    // `helm template` does not render NOTES.txt, so a copy is rendered as a manifest.
    if (path.endsWith('NOTES.txt')) await writeFile(file.replace('NOTES.txt', 'notes.yaml'), marked)
  }
  return branches
}

/** Removes the markers from output that is parsed, and prints them before the action. */
function separateMarkers(template: string): string {
  return template.replace(PARSING, (action, output: string) => {
    const print = `{{ $output := ${output} }}{{ join "" (regexFindAll "@@[0-9]+@@" $output -1) }}`
    return print + action.replace(output, 'regexReplaceAll "@@[0-9]+@@" $$output ""')
  })
}

/** The numbers of the branches that a rendering took. */
export function taken(rendering: string): number[] {
  return [...rendering.matchAll(MARKER)].map(([, number]) => Number(number))
}

/** An open condition, with the markers of its other branch. */
interface Open {
  readonly otherwise: number[]
  hasElse: boolean
}

function addMarkers(template: string, file: string, branches: Branch[]): string {
  const open: (Open | undefined)[] = []
  let line = 1
  let last = 0
  const add = (action: string, isFatal = false): readonly [number, number[]] => {
    const at = { file, line, action }
    if (isFatal) return [NaN, [branches.push({ ...at, holds: false }) - 1]]
    const holds = branches.push({ ...at, holds: true }) - 1
    if (NEVER_EMPTY.some((pattern) => pattern.test(action))) return [holds, []]
    return [holds, [branches.push({ ...at, holds: false }) - 1]]
  }
  return template.replace(
    ACTION,
    (whole, keyword: string | undefined, rest: string, at: number) => {
      line += template.slice(last, at).split('\n').length - 1
      last = at
      if (keyword === undefined) return whole
      if (keyword === 'define' || keyword === 'block') open.push(undefined)
      if (keyword === 'if' || keyword === 'with' || keyword === 'range') {
        const isFatal = FAILS.test(template.slice(at + whole.length))
        const [holds, otherwise] = add(`${keyword} ${rest}`, isFatal)
        open.push({ otherwise, hasElse: false })
        return whole + markers(isFatal ? [] : [holds])
      }
      if (keyword === 'else') return whole + markers(otherwise(open.at(-1), rest, add))
      if (keyword === 'end') {
        const ended = open.pop()
        if (ended && !ended.hasElse) return `{{ else }}${markers(ended.otherwise)}${whole}`
      }
      return whole
    },
  )
}

/** The markers after `else`, or after `else if …`, which starts another condition. */
function otherwise(
  open: Open | undefined,
  rest: string,
  add: (action: string) => readonly [number, number[]],
): number[] {
  if (!open) return []
  const before = [...open.otherwise]
  if (rest === '') {
    open.hasElse = true
    return before
  }
  const [holds, not] = add(rest)
  open.otherwise.push(...not)
  return [...before, holds]
}

const markers = (numbers: readonly number[]) => numbers.map((number) => `@@${number}@@`).join('')
