import { check } from '../checks.ts'
import { type Platform, selectorOf } from './platform.ts'

/**
 * The values for OpenShift on this cluster: nothing assigns users here, so the values contain a user and groups as
 * OpenShift's `restricted-v2` would assign them, and the addresses of this cluster.
 */

const USER = 1_000_680_000
const assigned = { runAsUser: USER, runAsGroup: 0, fsGroup: USER }

const namespaced = (name: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
})
const service = {
  podSecurityContext: assigned,
  networkPolicy: {
    from: [namespaced('traefik')],
    dns: [namespaced('kube-system')],
    dnsPorts: [53],
    operator: [namespaced('cnpg-system')],
  },
}

export const ARBITRARY_USER = {
  auth: service,
  payments: service,
  redis: { podSecurityContext: assigned },
}

/** The program that prints the user of each image: the services' images have no shell. */
const PRINT_USER = {
  service: ['/nodejs/bin/node', '--print', 'process.getuid()'],
  redis: ['id', '-u'],
}

export async function checkArbitraryUser({ namespace }: Platform): Promise<void> {
  await check(
    'openshift: the pods of auth, payments and Redis run with an assigned user',
    async () => {
      for (const name of ['auth', 'payments', 'redis'] as const) {
        const program = name === 'redis' ? PRINT_USER.redis : PRINT_USER.service
        const pods = await namespace.pods(selectorOf(name))
        if (pods.length === 0) throw new Error(`${name} has no pod`)
        for (const pod of pods) {
          const user = (await namespace.exec(pod, program)).trim()
          if (user !== String(USER)) throw new Error(`${pod} runs as ${user}`)
        }
      }
    },
  )
}
