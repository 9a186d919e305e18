import { existsSync } from 'node:fs'
import { run } from '../../e2e/cluster.ts'

/** promtool from Debian's prometheus package; unpacked instead of installed, so that no daemon is started. */

const CACHE = new URL('../../.data/bin/', import.meta.url).pathname

const UNPACK = `
set -euo pipefail
cd "$(mktemp -d)"
apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }
dpkg-deb --fsys-tarfile prometheus_*.deb | tar --extract --file - ./usr/bin/promtool
mkdir -p "$1" && mv usr/bin/promtool "$1"
`

/** The path of `promtool`: the installed one, or one that is downloaded once. */
export async function promtool(): Promise<string> {
  const isThere = await run('promtool', ['--version']).then(
    () => true,
    () => false,
  )
  if (isThere) return 'promtool'
  const path = `${CACHE}promtool`
  if (!existsSync(path)) {
    await run('bash', ['-c', UNPACK, 'unpack', CACHE], { timeoutMs: 240_000 })
  }
  return path
}
