import { eventually, Namespace, type Resource } from '../../cluster.ts'
import { podOf, RELEASE, restarts, SERVICES, space } from '../release.ts'
import type { Fault } from './fault.ts'

/**
 * SIGKILL to a service's process. Nothing inside a container can do that to its first process, so it is
 * done from the node: a pod that sees all processes finds the container's by its control group.
 */

/** A namespace without Pod Security: such a pod is refused everywhere else. */
const outside = new Namespace('default')
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
  await outside.apply({
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
      const { phase } = (await outside.get('pod', KILLER)).status
      if (phase !== 'Succeeded') throw new Error(`the pod that kills is ${phase}`)
    })
  } finally {
    await outside.kubectl(['delete', 'pod', KILLER, '--ignore-not-found', '--grace-period=0'])
  }
}

export const killed: Fault = {
  what: 'the process of a pod of each service killed (SIGKILL)',
  cutsOff: true,
  async happen() {
    for (const service of SERVICES) {
      const pod = await podOf(service)
      const before = await restarts(pod)
      await kill(await space.get('pod', pod))
      await eventually('a new start', async () => {
        if ((await restarts(pod)) === before) throw new Error(`${pod} was not started again`)
      })
    }
  },
}
