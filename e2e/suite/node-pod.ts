import type { Namespace } from '../cluster.ts'

/** A pod that runs a Node.js program under the restricted Pod Security Standard. */
export interface NodePod {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** CommonJS source; must run until the pod is deleted. */
  readonly program: string
  /** Port for the readiness probe; without it, the pod is ready immediately. */
  readonly port?: number
}

/** A service's image: it contains Node.js and is already in the cluster. */
const IMAGE = 'malipo/auth:dev'

export async function startNodePod(where: Namespace, pod: NodePod): Promise<void> {
  const { name, labels, program, port } = pod
  const readinessProbe = { tcpSocket: { port }, periodSeconds: 1 }
  await where.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'node',
          image: IMAGE,
          imagePullPolicy: 'IfNotPresent',
          args: ['--eval', program],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          resources: { requests: { memory: '16Mi' } },
          ...(port === undefined ? {} : { readinessProbe }),
        },
      ],
    },
  })
  await where.kubectl(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
}
