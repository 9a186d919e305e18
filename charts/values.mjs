// Generates from each chart's values.yaml its values.schema.json, which rejects unknown and mistyped values, and the
// table in its README; and from the simulator's code its accounts in charts/simulator/files. `npm run charts` writes
// them; with `-- --check` it fails if they are out of date.
//
// A comment `# -- …` above a value documents it; `(@enum a,b)` lists the allowed values, `(@type a,b)` the types if there
// are several. A map with such a comment is one value with free content, such as resources; a map without one is a group
// of values.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { isMap, isScalar, parseDocument } from 'yaml'
import { accountsFile, providersFile } from '../services/simulator/src/sandbox/accounts.ts'

const here = new URL('./', import.meta.url)
const check = process.argv.includes('--check')
const ENUM = / ?\(@enum ([^)]+)\)/
const TYPES = / ?\(@type ([^)]+)\)/

/** Parses the comment of a value: its description, and its allowed values and types, if listed. */
function doc(comment) {
  const [, text] = /^ -- ([^\n]*)/m.exec(comment ?? '') ?? []
  if (text === undefined) return undefined
  return {
    text: text.replace(ENUM, '').replace(TYPES, ''),
    choices: ENUM.exec(text)?.[1].split(','),
    types: TYPES.exec(text)?.[1].split(','),
  }
}

/** The values of a map and of its groups, in order: path, description, default, allowed values and types. */
function* values(map, path = []) {
  for (const [i, { key, value }] of map.items.entries()) {
    // The comment above a map's first key belongs to the map.
    const found = doc(i === 0 ? (map.commentBefore ?? key.commentBefore) : key.commentBefore)
    const here = [...path, key.value]
    if (found) yield { path: here, value, ...found }
    else if (isMap(value) && value.items.length > 0) yield* values(value, here)
    else throw new Error(`${here.join('.')} has no comment "# -- …"`)
  }
}

function typeOf(node) {
  const value = node.toJSON()
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'object') return 'object'
  return Number.isInteger(value) ? 'integer' : typeof value
}

function schemaOf(all, name) {
  const root = { type: 'object', additionalProperties: false, properties: {} }
  for (const { path, value, text, choices, types } of all) {
    let group = root
    for (const part of path.slice(0, -1)) {
      group.properties[part] ??= { type: 'object', additionalProperties: false, properties: {} }
      group = group.properties[part]
    }
    group.properties[path.at(-1)] = {
      description: text,
      type: types ?? typeOf(value),
      ...(choices ? { enum: choices } : {}),
    }
  }
  // Helm adds these to a chart's values.
  for (const part of ['global', 'service-library']) root.properties[part] ??= { type: 'object' }
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: `Values of ${name}`, ...root }
}

function tableOf(all) {
  const rows = all.map(({ path, value, text, choices }) => {
    const words = choices ? `${text}: ${choices.map((choice) => `\`${choice}\``).join(', ')}` : text
    const preset = isScalar(value) ? JSON.stringify(value.value) : JSON.stringify(value.toJSON())
    return `| \`${path.join('.')}\` | ${words.replaceAll('|', '\\|')} | \`${preset}\` |`
  })
  return ['| value | description | default |', '| --- | --- | --- |', ...rows].join('\n')
}

/** Writes a file, or with `--check` reports a difference. */
async function put(url, draft, parser) {
  const text = await format(draft, { ...(await resolveConfig(url)), parser })
  const isSame = existsSync(url) && readFileSync(url, 'utf8') === text
  if (!check) writeFileSync(url, text)
  else if (!isSame) console.error(`${url.pathname} is out of date: npm run charts`)
  return isSame
}

/** The templates replace these hosts; credentials are keys of a Secret. */
const urls = { simulator: 'http://simulator.invalid', payments: 'http://payments.invalid' }
const files = { 'providers.json': providersFile(urls, ''), 'accounts.json': accountsFile(urls) }

let upToDate = true
for (const [name, content] of Object.entries(files)) {
  const url = new URL(`simulator/files/${name}`, here)
  upToDate = (await put(url, JSON.stringify(content), 'json')) && upToDate
}
for (const name of ['auth', 'payments', 'redis', 'simulator', 'platform']) {
  const source = readFileSync(new URL(`${name}/values.yaml`, here), 'utf8')
  const all = [...values(parseDocument(source).contents)]
  const schema = schemaOf(all, name)
  if (name === 'platform') {
    // Helm validates subcharts by their own schemas.
    for (const part of ['auth', 'payments', 'redis', 'simulator'])
      schema.properties[part] = { type: 'object' }
  }
  const readme = new URL(`${name}/README.md`, here)
  const [head, tail] = readFileSync(readme, 'utf8').split(
    /<!-- values -->[^]*<!-- end of values -->/,
  )
  const table = `<!-- values -->\n\n${tableOf(all)}\n\n<!-- end of values -->`
  const same = [
    await put(new URL(`${name}/values.schema.json`, here), JSON.stringify(schema), 'json'),
    await put(readme, `${head}${table}${tail}`, 'markdown'),
  ]
  upToDate &&= !same.includes(false)
}
process.exit(check && !upToDate ? 1 : 0)
