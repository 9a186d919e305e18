import { readFileSync } from 'node:fs'

/** The version of the package whose `src` or `dist` contains a module; `module` is its `import.meta.url`. */
export function versionOf(module: string): string {
  const text = readFileSync(new URL('../package.json', module), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
