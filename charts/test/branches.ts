import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/**
 * Which ways through the templates a rendering took. Both ways of every `if`, `with` and `range` of a copy of
 * the charts get a mark, and the marks that are in a rendering are the ways that it took.
 *
 * The marks break the YAML around them; helm prints it all the same with `--debug`.
 */

export interface Branch {
  readonly file: string
  readonly line: number
  /** The action, such as `if .Values.autoscaling.enabled`. */
  readonly action: string
  /** Whether it is the way that is taken when the condition holds. */
  readonly holds: boolean
}

const ACTION =
  /\{\{-?\s*(?:\/\*[^]*?\*\/|(if|with|range|else|end|define|block)\b\s*((?:"[^"]*"|[^"}])*?))\s*-?\}\}/g
const MARK = /@@(\d+)@@/g

/** These are never empty, literals or looked at just before, so there is one way only. */
const NEVER_EMPTY = [
  /^range list "/,
  /^range \$\w+, \$\w+ := dict "/,
  /^range \$\w+, \$\w+ := include "platform\.routes"/,
  /^range \$path := get \$routes/,
  /^range \$routes\./,
  /\| default \(list ""\)$/,
  // In `with` of the same list.
  /^range \.$/,
  // `service.named` refuses an empty one.
  /^range \$policy\.(redisPorts|collectorPorts|apiServer\.(ports|cidrs)|objectStore\.ports)$/,
  /^range \$name, \$list := \.$/,
  // The keys of a Secret, which the templates give.
  /^range \$key, \$value := \$fresh$/,
  /^range \$key := \$keys$/,
  // A list that a template holds, and values that have a literal beside them.
  /^range \$alert := include/,
  /^range \$kind, \$percent := dict /,

  /^range \.Values\.monitoring\.burnRates$/,
  /^range \$window := uniq/,
  /^range \$objective := \.Values/,
  /^range \$burn := \$root/,
  /^range \$path, \$_ := \.Files\.Glob/,
  // A group of values is always there.
  /^with \.Values\.autoscaling$/,
]

/** Where a condition that holds ends the rendering, the tests of refusals go that way. */
const FAILS = /^\s*\{\{-?\s*fail /

/** Marks every template of the charts in a folder; the index of a branch is the number of its mark. */
export async function markBranches(charts: string): Promise<Branch[]> {
  const branches: Branch[] = []
  for (const path of await readdir(charts, { recursive: true })) {
    if (!/^[\w-]+\/templates\/.*\.(yaml|tpl|txt)$/.test(path)) continue
    const file = join(charts, path)
    const marked = mark(await readFile(file, 'utf8'), relative(charts, file), branches)
    await writeFile(file, marked)
    // What helm says after an install is no manifest: it is marked where it is one.
    if (path.endsWith('NOTES.txt')) await writeFile(file.replace('NOTES.txt', 'notes.yaml'), marked)
  }
  return branches
}

/** The numbers of the branches that a rendering took. */
export function taken(rendering: string): number[] {
  return [...rendering.matchAll(MARK)].map(([, number]) => Number(number))
}

/** A condition that is open: the marks to set on its other way. */
interface Open {
  readonly otherwise: number[]
  hasElse: boolean
}

function mark(template: string, file: string, branches: Branch[]): string {
  const open: (Open | undefined)[] = []
  let line = 1
  let last = 0
  const add = (action: string, isFatal = false): readonly [number, number[]] => {
    const at = { file, line, action }
    if (isFatal) return [NaN, [branches.push({ ...at, holds: false }) - 1]]
    const holds = branches.push({ ...at, holds: true }) - 1
    if (NEVER_EMPTY.some((known) => known.test(action))) return [holds, []]
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
        return whole + marks(isFatal ? [] : [holds])
      }
      if (keyword === 'else') return whole + marks(otherwise(open.at(-1), rest, add))
      if (keyword === 'end') {
        const ended = open.pop()
        if (ended && !ended.hasElse) return `{{ else }}${marks(ended.otherwise)}${whole}`
      }
      return whole
    },
  )
}

/** The marks after `else`, or after `else if …`, which opens a condition of its own. */
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

const marks = (numbers: readonly number[]) => numbers.map((number) => `@@${number}@@`).join('')
