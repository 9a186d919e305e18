import { readFile, writeFile } from 'node:fs/promises'
import { format } from 'prettier'

/** Documentation pages: sections with measurements, and commands that the drill runs. */

const DOCS = new URL('../../docs/', import.meta.url)

/** Replaces the text between `<!-- NAME: written by … -->` and `<!-- end of NAME -->` in a page. */
export async function updateSection(page: string, name: string, text: string, by = 'make drill') {
  const file = new URL(page, DOCS)
  const [before, after] = [`<!-- ${name}: written by ${by} -->`, `<!-- end of ${name} -->`]
  const found = await readFile(file, 'utf8')
  const [head, tail] = [found.split(before)[0], found.split(after)[1]]
  if (tail === undefined) throw new Error(`${page} has no section ${name}`)
  const draft = `${head}${before}\n\n${text}\n\n${after}${tail}`
  await writeFile(file, await format(draft, { parser: 'markdown', printWidth: 100 }))
}

/** The commands of a page by name: code blocks with the info string `sh <name>`. */
export async function commandsOf(page: string): Promise<Map<string, string>> {
  const text = await readFile(new URL(page, DOCS), 'utf8')
  const blocks = text.matchAll(/^```sh ([a-z-]+)\n([^]*?)^```$/gm)
  return new Map([...blocks].map(([, name = '', commands = '']) => [name, commands]))
}

export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
