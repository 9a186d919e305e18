// The language check of `make lint`: terms that the project does not use, sentences that are too long, and
// commit subjects that are too long. Terms and allowed exceptions are in language-terms.mjs.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { marked } from 'marked'
import { EXCEPTIONS, TERMS } from './language-terms.mjs'
import { openApiOf } from './services.mjs'

const MAX_WORDS = 35
const MAX_SUBJECT = 72
/** Commits up to this one were written without the rule. */
const RULE_SINCE = '41a0b4997624dd6a4500a547f065c7c4ef190ad2'
/** Written by tools or by others. */
const NOT_OURS =
  /^(LICENSE|package-lock\.json|docs\/language(-terms)?\.mjs|charts\/test\/schemas\/.*)$|\.(svg|tgz|png|gz)$/

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' })

/** Every use of a term in a file: `file:line: …`. */
export function termsIn(file, text) {
  const found = []
  for (const [index, line] of text.split('\n').entries()) {
    for (const { pattern, use, files } of TERMS) {
      const match = (files?.test(file) ?? true) && pattern.exec(line)
      if (!match || isAllowed(file, line)) continue
      found.push(`${file}:${index + 1}: "${match[0]}": use ${use}`)
    }
  }
  return found
}

function isAllowed(file, line) {
  return EXCEPTIONS.some(({ file: path, text }) => path.test(file) && text.test(line))
}

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/** Sentences of more than MAX_WORDS words; a word is what spaces separate. */
export function longSentences(text) {
  return [...sentences.segment(text)]
    .map(({ segment }) => segment.trim())
    .filter((sentence) => sentence.split(/\s+/).length > MAX_WORDS)
}

/** The texts of a Markdown page, one for each paragraph, list item, heading and table cell; code is left out. */
export function markdownTexts(markdown) {
  const texts = []
  void marked.walkTokens(marked.lexer(markdown), (token) => {
    if (token.type === 'paragraph' || token.type === 'heading') texts.push(plain(token.tokens))
    if (token.type === 'text' && token.tokens) texts.push(plain(token.tokens))
    if (token.type === 'table') {
      for (const cell of [...token.header, ...token.rows.flat()]) texts.push(plain(cell.tokens))
    }
  })
  return texts
}

/** Inline code counts as one word. */
function plain(tokens) {
  return tokens
    .map((token) => {
      if (token.type === 'codespan') return 'code'
      if (token.type === 'br') return '. '
      return token.tokens ? plain(token.tokens) : (token.text ?? '')
    })
    .join('')
}

/** Every summary, description and title of an OpenAPI document. */
export function openApiTexts(node) {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) =>
    typeof value === 'string'
      ? ['summary', 'description', 'title'].includes(key)
        ? [value]
        : []
      : openApiTexts(value),
  )
}

function longSubjects() {
  try {
    git('cat-file', '-e', RULE_SINCE)
  } catch {
    return [] // A shallow clone or an archive has no history to check.
  }
  return git('log', '--format=%h %s', `${RULE_SINCE}..HEAD`)
    .split('\n')
    .filter((line) => line.replace(/^\w+ /, '').length > MAX_SUBJECT)
    .map((line) => `commit ${line}: over ${MAX_SUBJECT} characters`)
}

async function main() {
  const faults = longSubjects()
  const long = (where) => (sentence) =>
    `${where}: a sentence of ${sentence.split(/\s+/).length} words: ${sentence}`
  for (const file of git('ls-files').trim().split('\n')) {
    if (NOT_OURS.test(file)) continue
    const text = readFileSync(file, 'utf8')
    faults.push(...termsIn(file, file), ...termsIn(file, text))
    if (file.endsWith('.md')) {
      faults.push(...markdownTexts(text).flatMap(longSentences).map(long(file)))
    }
  }
  for (const service of ['auth', 'payments']) {
    const texts = openApiTexts(await openApiOf(service))
    faults.push(...texts.flatMap(longSentences).map(long(`OpenAPI of ${service}`)))
    faults.push(...texts.flatMap((text) => termsIn(`OpenAPI of ${service}`, text)))
  }
  for (const fault of faults) console.error(fault)
  if (faults.length > 0)
    console.error(`${faults.length} places to reword: see CONTRIBUTING, "Language".`)
  // Created services hold timers.
  process.exit(faults.length > 0 ? 1 : 0)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main()
