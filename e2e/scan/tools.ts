import { readFile } from 'node:fs/promises'
import {
  installGo,
  installOnce,
  installPython,
  PYTHON_WITH_VENV,
  requireProgram,
} from '../pinned-tools.ts'

/** The pinned tools of `make scan`, installed in `.data/scan`. */

const GO_MODULES = [
  'github.com/zegl/kube-score/cmd/kube-score@v1.20.0',
  'github.com/zricethezav/gitleaks/v8@v8.30.1',
]
const REQUIREMENTS = {
  requirement: new URL('requirements.txt', import.meta.url).pathname,
  constraint: new URL('constraints.txt', import.meta.url).pathname,
}
/** Programs that the machine must have, with the package that provides them. */
const REQUIRED = [
  PYTHON_WITH_VENV,
  ['go', ['version'], 'Go (golang)'],
  ['helm', ['version'], 'Helm'],
] as const

export const ROOT = new URL('../../', import.meta.url).pathname
export const FOLDER = `${ROOT}.data/scan`
export const TOOLS = {
  checkov: `${FOLDER}/venv/bin/checkov`,
  schemathesis: `${FOLDER}/venv/bin/schemathesis`,
  'kube-score': `${FOLDER}/bin/kube-score`,
  gitleaks: `${FOLDER}/bin/gitleaks`,
}

/** Installs the tools again only if a version changed. @throws if a required program is missing */
export async function installTools(): Promise<void> {
  for (const [program, args, name] of REQUIRED) await requireProgram(program, args, name)
  const files = Object.values(REQUIREMENTS)
  const requirements = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  await installOnce({
    folder: FOLDER,
    pins: [...GO_MODULES, ...requirements],
    programs: Object.values(TOOLS),
    install: () =>
      Promise.all([installPython(FOLDER, REQUIREMENTS), installGo(FOLDER, GO_MODULES)]),
  })
}
