import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { run } from '../cluster.ts'

/** The pinned tools of `make scan`, installed in `.data/scan`. */

const GO_MODULES = [
  'github.com/zegl/kube-score/cmd/kube-score@v1.20.0',
  'github.com/zricethezav/gitleaks/v8@v8.30.1',
]
const REQUIREMENTS = ['requirements.txt', 'constraints.txt'].map(
  (file) => new URL(file, import.meta.url).pathname,
)
/** Building kube-score takes some minutes without Go's build cache. */
const INSTALL_LIMIT_MS = 15 * 60_000
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
  for (const [program, args, name] of REQUIRED) {
    await run(program, args).catch((error: unknown) => {
      throw new Error(`${name} is missing: install it and try again`, { cause: error })
    })
  }
  const pins = [...GO_MODULES, ...(await Promise.all(REQUIREMENTS.map((file) => readFile(file))))]
  const stamp = `${FOLDER}/installed`
  const isInstalled = Object.values(TOOLS).every((tool) => existsSync(tool))
  if (isInstalled && existsSync(stamp) && (await readFile(stamp, 'utf8')) === pins.join('\n'))
    return
  await Promise.all([installPython(), installGo()])
  await writeFile(stamp, pins.join('\n'))
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

async function installGo(): Promise<void> {
  const options = {
    timeoutMs: INSTALL_LIMIT_MS,
    env: { GOBIN: `${FOLDER}/bin`, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
  }
  for (const module of GO_MODULES) await run('go', ['install', module], options)
}
