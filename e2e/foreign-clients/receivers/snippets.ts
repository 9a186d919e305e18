import { readFile } from 'node:fs/promises'
import { marked } from 'marked'

/** The programs of the page that shows merchants how to verify notifications. */

const PAGE = new URL('../../../docs/verify-webhooks.md', import.meta.url)

/** Returns the code of each block by its file name, the second word after the fence. */
export async function readSnippets(): Promise<ReadonlyMap<string, string>> {
  const tokens = marked.lexer(await readFile(PAGE, 'utf8'))
  return new Map(
    tokens.flatMap((token) => {
      if (token.type !== 'code') return []
      const [, file] = ((token.lang as string | undefined) ?? '').split(' ')
      return file === undefined ? [] : [[file, token.text as string] as const]
    }),
  )
}

/** The code of a block, with replacements that must apply. */
export function snippet(
  snippets: ReadonlyMap<string, string>,
  file: string,
  replacements: Readonly<Record<string, string>> = {},
): string {
  let code = snippets.get(file)
  if (code === undefined) throw new Error(`the page has no program ${file}`)
  for (const [from, to] of Object.entries(replacements)) {
    if (!code.includes(from)) throw new Error(`${file} has no ${from}`)
    code = code.replaceAll(from, to)
  }
  return `${code}\n`
}
