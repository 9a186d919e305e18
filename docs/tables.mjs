// Writes the tables that are made from the code: the README's environment variables, docs/problems.md
// and docs/metrics.md. `npm run docs` writes them, `npm run docs -- --check` fails if they are out of date.
import { readFileSync, writeFileSync } from 'node:fs'
import { HTTP_PROBLEMS } from '@malipo/kit/http/problem'
import { format, resolveConfig } from 'prettier'
import { VARIABLES as auth } from '../services/auth/dist/env.js'
import { PROBLEMS as authProblems } from '../services/auth/dist/problems.js'
import { VARIABLES as payments } from '../services/payments/dist/env.js'
import { PROBLEMS as paymentsProblems } from '../services/payments/dist/problems.js'
import { metrics } from './metrics.mjs'

const root = new URL('../', import.meta.url)
const check = process.argv.includes('--check')

/** Which services read a variable, in words. */
function readers(name) {
  if (name in auth && name in payments) return 'both'
  return name in auth ? 'auth' : 'payments'
}

function defaultOf({ default: value }) {
  // A list, or headers by their names.
  const isNone =
    value === undefined || (typeof value === 'object' && Object.keys(value).length === 0)
  if (isNone) return ''
  return `\`${value}\``
}

function variables() {
  const names = Object.keys({ ...auth, ...payments })
  const order = { both: 0, auth: 1, payments: 2 }
  const rows = names
    .toSorted((a, b) => order[readers(a)] - order[readers(b)])
    .map((name) => {
      const spec = auth[name] ?? payments[name]
      const value = name === 'PORT' ? '`3002`, `4000`' : defaultOf(spec)
      return `| \`${name}\` | ${readers(name)} | ${value} | ${spec.desc} |`
    })
  return [
    '| variable | read by | default | what it is |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function problems() {
  const sections = {
    'Every service': HTTP_PROBLEMS,
    Auth: authProblems,
    Payments: paymentsProblems,
  }
  const table = (kinds) =>
    Object.values(kinds)
      .toSorted((a, b) => a.status - b.status)
      .map(
        ({ type, status, title }) =>
          `| ${status} | <a id="${type}"></a>\`/problems/${type}\` | ${title} |`,
      )
      .join('\n')
  return Object.entries(sections)
    .map(
      ([name, kinds]) =>
        `## ${name}\n\n| status | type | title |\n| --- | --- | --- |\n${table(kinds)}`,
    )
    .join('\n\n')
}

const marks = (name) => [`<!-- ${name}: made by npm run docs -->`, `<!-- end of ${name} -->`]

/** Puts `text` between a file's marks; says whether it was there already. */
async function put(file, name, text) {
  const url = new URL(file, root)
  const before = readFileSync(url, 'utf8')
  const [from, to] = marks(name)
  const [head, rest] = before.split(from)
  if (rest === undefined) throw new Error(`${file} has no mark "${from}"`)
  const draft = `${head}${from}\n\n${text}\n\n${to}${rest.split(to)[1]}`
  const options = { ...(await resolveConfig(url)), parser: 'markdown' }
  const after = await format(draft, options)
  if (!check) writeFileSync(url, after)
  return before === after
}

const upToDate = [
  await put('README.md', 'environment', variables()),
  await put('docs/problems.md', 'problems', problems()),
  await put('docs/metrics.md', 'metrics', await metrics()),
]
if (check && upToDate.includes(false)) {
  console.error('A page or file that is made from the code is out of date: npm run docs')
  process.exit(1)
}
// Created services hold timers.
process.exit()
