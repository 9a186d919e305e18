import { join } from 'node:path'
import { run } from '../../cluster.ts'
import { RELEASE, SERVICES, space } from '../release.ts'
import type { Fault } from './fault.ts'

/** A changed setting is new pods, one after the other; a rollback likewise. */

const TIMEOUT_MS = 300_000

async function rolledOut() {
  for (const service of SERVICES) {
    const what = ['rollout', 'status', `deployment/${RELEASE}-${service}`, '--timeout=240s']
    await space.kubectl(what, { timeoutMs: TIMEOUT_MS })
  }
}

export const upgrade: Fault = {
  what: 'rolling upgrade of both services (a changed setting)',
  async happen({ helm, charts }) {
    const changed = SERVICES.flatMap((service) => ['--set', `${service}.logLevel=warn`])
    const args = ['upgrade', RELEASE, join(charts, 'platform'), '--reuse-values', ...changed]
    await run(helm.program, [...args, `--namespace=${space.name}`], { timeoutMs: TIMEOUT_MS })
    await rolledOut()
  },
}

export const rollback: Fault = {
  what: 'rollback of both',
  async happen({ helm }) {
    await run(helm.program, ['rollback', RELEASE, `--namespace=${space.name}`])
    await rolledOut()
  },
}
