/**
 * `make scan`: checks by public tools. schemathesis tests both services against their OpenAPI documents, checkov and
 * kube-score check the Dockerfile and the rendered charts, and gitleaks searches the tree for secrets.
 *
 * Ends with `N passed, N failed`. A missing tool is a failure.
 */
import { rm } from 'node:fs/promises'
import { check, finish, mustPass, MustPassError } from './checks.ts'
import { run } from './cluster.ts'
import { withServices } from './scan/services.ts'
import { testApi } from './scan/api.ts'
import { checkDockerfile, checkShapes } from './scan/manifests.ts'
import { renderShapes } from './scan/shapes.ts'
import { FOLDER, installTools, ROOT, TOOLS } from './scan/tools.ts'

async function manifests(): Promise<void> {
  const shapes = `${FOLDER}/shapes`
  await rm(shapes, { recursive: true, force: true })
  await mustPass('renders every shape of the charts', () => renderShapes(shapes))
  await check('checkov and kube-score accept every shape', () => checkShapes(shapes))
}

async function services(): Promise<void> {
  await withServices(async (services) => {
    await Promise.all([
      check('schemathesis accepts auth', () => testApi('auth', services)),
      check('schemathesis accepts payments', () => testApi('payments', services)),
    ])
  })
}

async function tree(): Promise<void> {
  const args = ['dir', '--no-banner', '--redact', '--verbose', '--config', '.gitleaks.toml', '.']
  await check('gitleaks finds no secret', async () => {
    await run(TOOLS.gitleaks, args, { cwd: ROOT })
  })
  await check('checkov accepts the Dockerfile', checkDockerfile)
}

/** Runs one part; a failure in it does not end the others. */
async function part(name: string, checks: () => Promise<void>): Promise<void> {
  try {
    await checks()
  } catch (error) {
    if (!(error instanceof MustPassError)) await check(name, () => Promise.reject(error))
  }
}

if (await check('installs the tools', installTools)) {
  await part('tree', tree)
  await part('manifests', manifests)
  await part('services', services)
}
finish()
process.exit()
