import { eventually, Namespace, type Resource } from '../../cluster.ts'
import { podOf, RELEASE, restarts, SERVICES, namespace } from '../release.ts'
import type { Fault } from './fault.ts'

/**
 * Sends SIGKILL to a service's process. A process can't kill PID 1 of the PID namespace it runs in, so a privileged pod with
 * `hostPID` finds the container's processes by their cgroup.
 */

/** A namespace without Pod Security, which would reject a privileged pod. */
const killerNamespace = new Namespace('default')
const KILLER = `${RELEASE}-killer`

const program = (container: string) => `
const { readdirSync, readFileSync } = require('node:fs')
const isOf = (pid) => {
  try {
    return readFileSync('/proc/' + pid + '/cgroup', 'utf8').includes('${container}')
  } catch {
    return false
  }
}
const found = readdirSync('/proc').filter((name) => Number(name) > 0 && isOf(name))
for (const pid of found) process.kill(Number(pid), 'SIGKILL')
process.exit(found.length > 0 ? 0 : 1)
`

async function kill({ spec, status }: Resource) {
  const container = status.containerStatuses[0].containerID.replace(/^.*:\/\//, '')
  const killer = {
    name: 'killer',
    image: spec.containers[0].image,
    imagePullPolicy: 'IfNotPresent',
    args: ['--eval', program(container)],
    securityContext: { privileged: true, runAsUser: 0, runAsNonRoot: false },
  }
  await killerNamespace.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: KILLER },
    spec: {
      nodeName: spec.nodeName,
      hostPID: true,
      restartPolicy: 'Never',
      containers: [killer],
    },
  })
  try {
    await eventually('the kill', async () => {
      const { phase } = (await killerNamespace.get('pod', KILLER)).status
      if (phase !== 'Succeeded') throw new Error(`the pod ${KILLER} is ${phase}`)
    })
  } finally {
    await killerNamespace.kubectl([
      'delete',
      'pod',
      KILLER,
      '--ignore-not-found',
      '--grace-period=0',
    ])
  }
}

export const killed: Fault = {
  title: 'process of one pod of each service killed (SIGKILL)',
  interruptsRequests: true,
  async inject() {
    for (const service of SERVICES) {
      const pod = await podOf(service)
      const before = await restarts(pod)
      await kill(await namespace.get('pod', pod))
      await eventually('a restart', async () => {
        if ((await restarts(pod)) === before) throw new Error(`${pod} has not restarted`)
      })
    }
  },
}
