import { readFile } from 'node:fs/promises'
import { run } from '../cluster.ts'
import { INSTALL_LIMIT_MS, installGo, installOnce, requireProgram } from '../pinned-tools.ts'

/** The pinned tools of `make scan`, installed in `.data/scan`. */

const GO_MODULES = [
  'github.com/zegl/kube-score/cmd/kube-score@v1.20.0',
  'github.com/zricethezav/gitleaks/v8@v8.30.1',
]
const REQUIREMENTS = ['requirements.txt', 'constraints.txt'].map(
  (file) => new URL(file, import.meta.url).pathname,
)
/** Programs that the machine must have, with the package that provides them. */
const REQUIRED = [
  [
    'python3',
    ['-c', 'import ensurepip, sys; assert sys.version_info >= (3, 11)'],
    'Python 3.11 or later with venv (python3-venv)',
  ],
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
  const requirements = await Promise.all(REQUIREMENTS.map((file) => readFile(file, 'utf8')))
  await installOnce({
    folder: FOLDER,
    pins: [...GO_MODULES, ...requirements],
    programs: Object.values(TOOLS),
    install: () => Promise.all([installPython(), installGo(FOLDER, GO_MODULES)]),
  })
}

async function installPython(): Promise<void> {
  const [requirements = '', constraints = ''] = REQUIREMENTS
  await run('python3', ['-m', 'venv', '--clear', `${FOLDER}/venv`])
  const pip = ['install', '--quiet', '--disable-pip-version-check']
  await run(
    `${FOLDER}/venv/bin/pip`,
    [...pip, '--requirement', requirements, '--constraint', constraints],
    { timeoutMs: INSTALL_LIMIT_MS },
  )
}
