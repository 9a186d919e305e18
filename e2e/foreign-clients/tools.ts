import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { run } from '../cluster.ts'
import {
  INSTALL_LIMIT_MS,
  installOnce,
  installPython,
  PYTHON_WITH_VENV,
  requireProgram,
} from '../pinned-tools.ts'

/** The pinned clients of `make foreign-clients`, installed in `.data/foreign-clients`. */

const ROOT = new URL('../../', import.meta.url).pathname
const path = (file: string) => new URL(file, import.meta.url).pathname
const REQUIREMENTS = { requirement: path('requirements.txt'), constraint: path('constraints.txt') }
const NPM_FILES = ['package.json', 'package-lock.json']
const GO_FILES = ['go.mod', 'go.sum']

export const FOLDER = `${ROOT}.data/foreign-clients`
export const PYTHON = `${FOLDER}/venv/bin/python`
/** The folder from which Node.js resolves the client of npm. */
export const NPM = `${FOLDER}/npm`
/** The folder of the Go module that has the library of the receiver. */
export const GO = `${FOLDER}/go`

/** Installs the clients again only if a version changed. @throws if a required program is missing */
export async function installClients(): Promise<void> {
  await requireProgram(...PYTHON_WITH_VENV)
  await requireProgram('go', ['version'], 'Go')
  const files = [
    ...Object.values(REQUIREMENTS),
    ...NPM_FILES.map((file) => path(`npm/${file}`)),
    ...GO_FILES.map((file) => path(`go/${file}`)),
  ]
  await installOnce({
    folder: FOLDER,
    pins: await Promise.all(files.map((file) => readFile(file, 'utf8'))),
    programs: [PYTHON, `${NPM}/node_modules/mtn-momo/package.json`],
    install: async () => {
      await installPython(FOLDER, REQUIREMENTS)
      await installNpm()
      await mkdir(GO, { recursive: true })
      for (const file of GO_FILES) await copyFile(path(`go/${file}`), `${GO}/${file}`)
    },
  })
}

async function installNpm(): Promise<void> {
  await mkdir(NPM, { recursive: true })
  for (const file of NPM_FILES) await copyFile(path(`npm/${file}`), `${NPM}/${file}`)
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  await run('npm', args, { cwd: NPM, timeoutMs: INSTALL_LIMIT_MS })
}
