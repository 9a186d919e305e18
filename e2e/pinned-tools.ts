import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { run } from './cluster.ts'

/** Installs pinned tools of the suites into `.data`. */

/** Building a large Go program takes some minutes without Go's build cache. */
export const INSTALL_LIMIT_MS = 15 * 60_000

export interface PinnedTools {
  readonly folder: string
  /** What is installed, with versions; a change installs everything again. */
  readonly pins: readonly string[]
  /** The paths of the installed programs. */
  readonly programs: readonly string[]
  readonly install: () => Promise<unknown>
}

/** Installs tools unless the folder has these versions already. */
export async function installOnce({ folder, pins, programs, install }: PinnedTools): Promise<void> {
  const [stamp, text] = [`${folder}/installed`, pins.join('\n')]
  const isInstalled = programs.every((program) => existsSync(program)) && existsSync(stamp)
  if (isInstalled && (await readFile(stamp, 'utf8')) === text) return
  await mkdir(folder, { recursive: true })
  await install()
  await writeFile(stamp, text)
}

/** @throws if the machine does not have the program */
export async function requireProgram(program: string, args: readonly string[], name: string) {
  await run(program, args).catch((error: unknown) => {
    throw new Error(`${name} is missing: install it and try again`, { cause: error })
  })
}

/** Builds Go programs into `<folder>/bin`. @param modules such as `module/cmd/program@v1.2.3` */
export async function installGo(folder: string, modules: readonly string[]): Promise<void> {
  const env = { GOBIN: `${folder}/bin`, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' }
  for (const module of modules) {
    await run('go', ['install', module], { timeoutMs: INSTALL_LIMIT_MS, env })
  }
}

/** A program of `requireProgram`: Python with what `installPython` needs. */
export const PYTHON_WITH_VENV = [
  'python3',
  ['-c', 'import ensurepip, sys; assert sys.version_info >= (3, 11)'],
  'Python 3.11 or later with venv (python3-venv)',
] as const

/** Installs Python packages into `<folder>/venv`. @param requirements the paths of both files of pip */
export async function installPython(
  folder: string,
  requirements: { readonly requirement: string; readonly constraint: string },
): Promise<void> {
  await run('python3', ['-m', 'venv', '--clear', `${folder}/venv`])
  const files = Object.entries(requirements).flatMap(([option, file]) => [`--${option}`, file])
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await run(`${folder}/venv/bin/python`, [...pip, ...files], { timeoutMs: INSTALL_LIMIT_MS })
}
