import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../cluster.ts'
import type { Source } from './install.ts'
import { SERVICES } from './release.ts'

/** The release that comes before this one: its charts, its images, and its values of the drill. */

export const EARLIER = '0.1.0'

const REPOSITORY = new URL('../..', import.meta.url).pathname
const BUILD_TIMEOUT_MS = 900_000

export interface EarlierRelease extends Source {
  /** The folder of its sources. */
  readonly folder: string
}

/** Unpacks the release from the history of Git, and builds and loads the images that Docker does not have. */
export async function earlierRelease({ helm }: Source): Promise<EarlierRelease> {
  const folder = await mkdtemp(join(tmpdir(), `malipo-${EARLIER}-`))
  const archive = `git -C "$REPOSITORY" archive "$COMMIT" | tar --extract --directory "$FOLDER"`
  const env = { REPOSITORY, COMMIT: await commit(), FOLDER: folder }
  await run('bash', ['-euo', 'pipefail', '-c', archive], { env })
  for (const service of SERVICES)
    await provideImage(`malipo/${service}:${EARLIER}`, service, folder)
  const charts = join(folder, 'charts')
  await run(join(charts, 'update'), [])
  return { helm, charts, folder }
}

/** The commit of the tag, or the one that says so if the clone has no tags. */
async function commit(): Promise<string> {
  const git = (...args: string[]) => run('git', ['-C', REPOSITORY, ...args])
  const tagged = await git('tag', '--list', `v${EARLIER}`)
  if (tagged.trim()) return tagged.trim()
  const found = await git('log', '--format=%H', `--grep=^Release ${EARLIER.replaceAll('.', '\\.')}`)
  const [last] = found.trim().split('\n')
  if (last) return last
  throw new Error(`the release ${EARLIER} is not in the history of Git: fetch all of it`)
}

/** On a cluster that pulls its images, push them there under these names first. */
async function provideImage(image: string, service: string, folder: string) {
  const isBuilt = await run('docker', ['image', 'inspect', image]).then(
    () => true,
    () => false,
  )
  if (!isBuilt) {
    const args = ['build', '--quiet', '--build-arg', `SERVICE=${service}`, '--tag', image, folder]
    await run('docker', args, { timeoutMs: BUILD_TIMEOUT_MS })
  }
  await run('kind', ['load', 'docker-image', image], { timeoutMs: BUILD_TIMEOUT_MS })
}
