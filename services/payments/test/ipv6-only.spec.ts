import { execFile } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '@malipo/local/find-program'
import { startService } from '@malipo/local/process'
import { expect, it } from 'vitest'
import { environment } from './payments.js'

/** A network namespace whose only address is ::1 (`ip` removes 127.0.0.1), which only root can create. */
const canIsolate = process.getuid?.() === 0 && findProgram('unshare') && findProgram('ip')

const ISOLATED = `
ip link set lo up
ip -4 address flush dev lo
test -z "$(ip -4 address show)"
exec "$@"`

it.skipIf(!canIsolate)(
  'a payment is created in a network that has only IPv6',
  async () => {
    const script = join(import.meta.dirname, 'ipv6-only.ts')
    const command = ['sh', '-euc', ISOLATED, 'sh', process.execPath, script]
    const { stdout } = await promisify(execFile)('unshare', ['--net', '--', ...command])
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      statuses: [201, 200, 200, 201, 200],
      sessions: { data: [{ address: '2001:db8::7' }] },
      health: { status: 'ok' },
    })
  },
  120_000,
)

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')

it('a service listens on IPv4, and on IPv6 if the machine has it', async () => {
  const env = environment({ DATABASE_URL: 'postgres://user:x@127.0.0.1:9/none' })
  const service = await startService({ name: 'payments', env, ready: false })
  const isLive = (host: string) =>
    fetch(`http://${host}:${service.port}/health/live`).then(
      ({ ok }) => ok,
      () => false,
    )
  await expect.poll(() => isLive('127.0.0.1'), { timeout: 20_000 }).toBe(true)
  expect(await isLive('[::1]')).toBe(hasIpv6)
  expect(await service.stop()).toBe(0)
})
