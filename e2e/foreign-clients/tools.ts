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

export const FOLDER = `${ROOT}.data/foreign-clients`
export const PYTHON = `${FOLDER}/venv/bin/python`
/** The folder from which Node.js resolves the client of npm. */
export const NPM = `${FOLDER}/npm`

/** Installs the clients again only if a version changed. @throws if a required program is missing */
export async function installClients(): Promise<void> {
  await requireProgram(...PYTHON_WITH_VENV)
  const files = [...Object.values(REQUIREMENTS), ...NPM_FILES.map((file) => path(`npm/${file}`))]
  await installOnce({
    folder: FOLDER,
    pins: await Promise.all(files.map((file) => readFile(file, 'utf8'))),
    programs: [PYTHON, `${NPM}/node_modules/mtn-momo/package.json`],
    install: async () => {
      await installPython(FOLDER, REQUIREMENTS)
      await installNpm()
    },
  })
}

async function installNpm(): Promise<void> {
  await mkdir(NPM, { recursive: true })
  for (const file of NPM_FILES) await copyFile(path(`npm/${file}`), `${NPM}/${file}`)
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  await run('npm', args, { cwd: NPM, timeoutMs: INSTALL_LIMIT_MS })
}
