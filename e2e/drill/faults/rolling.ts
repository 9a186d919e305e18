import { join } from 'node:path'
import { run } from '../../cluster.ts'
import { RELEASE, SERVICES, namespace } from '../release.ts'
import type { Fault } from './fault.ts'

/** Rolling update by a changed setting, and its rollback. */

const TIMEOUT_MS = 300_000

async function rolledOut() {
  for (const service of SERVICES) {
    const what = ['rollout', 'status', `deployment/${RELEASE}-${service}`, '--timeout=240s']
    await namespace.kubectl(what, { timeoutMs: TIMEOUT_MS })
  }
}

export const upgrade: Fault = {
  title: 'rolling upgrade of both services (a changed setting)',
  async inject({ helm, charts }) {
    const changed = SERVICES.flatMap((service) => ['--set', `${service}.logLevel=warn`])
    const args = ['upgrade', RELEASE, join(charts, 'platform'), '--reuse-values', ...changed]
    await run(helm.program, [...args, `--namespace=${namespace.name}`], { timeoutMs: TIMEOUT_MS })
    await rolledOut()
  },
}

export const rollback: Fault = {
  title: 'rollback of both services',
  async inject({ helm }) {
    await run(helm.program, ['rollback', RELEASE, `--namespace=${namespace.name}`])
    await rolledOut()
  },
}
