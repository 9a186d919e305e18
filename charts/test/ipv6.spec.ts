import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '../../e2e/cluster.ts'
import { packCharts } from '../../e2e/helm.ts'
import { render } from './render.ts'

/** Redis as its chart starts it, in a network namespace that has no IPv4 address. */

const PORT = 6399
let charts = ''
beforeAll(async () => {
  charts = await packCharts()
})
afterAll(() => rm(charts, { recursive: true }))

const succeeds = (program: string, args: string[]) =>
  run(program, args).then(
    () => true,
    () => false,
  )
const NAMESPACE = ['--user', '--map-root-user', '--net', '--', 'bash', '-c']
const isPossible = await succeeds('unshare', [...NAMESPACE, 'command -v ip redis-server redis-cli'])
if (!isPossible) console.warn('skipped: needs redis-server, iproute2 and network namespaces')

/** Starts Redis with the arguments of the script, and prints its answer to a client on ::1. */
const SCRIPT = `
set -euo pipefail
ip link set lo up
ip -4 address flush dev lo
redis-server "$@" --save '' >/dev/null &
trap 'kill $!' EXIT
for _ in $(seq 50); do
  answer=$(redis-cli -h ::1 -p ${PORT} -a secret ping 2>/dev/null || true)
  [ "$answer" != PONG ] || break
  sleep 0.1
done
ip -4 -oneline address
echo "$answer"
`

it.skipIf(!isPossible)('Redis serves clients on a node that has only IPv6', async () => {
  const { find } = await render('helm', charts, { chart: 'redis', name: '', files: [] })
  const { args } = find('Deployment').spec.template.spec.containers[0] as { args: string[] }
  const given = args.map((arg) => arg.replace(/\$\(\w+_PASSWORD\)/, 'secret'))
  const program = [...NAMESPACE, SCRIPT, 'redis', ...given, '--port', String(PORT)]
  expect(await run('unshare', program)).toBe('PONG\n')
})

it.skipIf(!isPossible)('a server that listens on 0.0.0.0 only does not', async () => {
  const program = [...NAMESPACE, SCRIPT, 'redis', '--bind', '0.0.0.0', '--port', String(PORT)]
  expect(await run('unshare', program)).toBe('\n')
})
