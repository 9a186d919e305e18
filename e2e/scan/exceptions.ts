/**
 * Findings of checkov (CKV_…) and kube-score in the rendered charts that need no change, each with its reason. An
 * exception without a finding fails `make scan`.
 */
export interface Exception {
  readonly checks: readonly string[]
  /** The shapes of the exception; default all. */
  readonly shape?: RegExp
  /** The objects of the exception; default all. */
  readonly object?: RegExp
  readonly reason: string
}

const REDIS = /redis|cache/
const SIMULATOR = /simulator/
/** The database's pods are created by CloudNativePG, and the manifests in k8s have no tests. */
const PODS_OF_OTHERS = /NetworkPolicy\/.*-(db|test)$/
/** The pod of `helm test`, as checkov and kube-score name it. */
const TEST_POD = /^Pod.*-test$/

export const EXCEPTIONS: readonly Exception[] = [
  {
    checks: ['CKV_K8S_21'],
    reason: 'The namespace is the one of `helm install` or of `kubectl apply`',
  },
  {
    checks: ['CKV_K8S_11'],
    reason:
      'A CPU limit delays requests while CPUs are idle; a CPU request guarantees each pod’s share',
  },
  {
    checks: ['CKV_K8S_15', 'container-image-pull-policy'],
    reason:
      'Tags of releases do not change, and a pod must start while the registry is unavailable',
  },
  {
    checks: ['CKV_K8S_43'],
    reason: 'Installations may set a digest as part of `image.tag`; defaults are versions',
  },
  {
    checks: ['CKV_K8S_35'],
    reason:
      'Passwords and keys of the services are files; variables are user names and OpenTelemetry’s headers',
    object: /auth|payments|named/,
  },
  {
    checks: ['CKV_K8S_35'],
    reason: 'Redis takes its password as an argument, which refers to the variable',
    object: REDIS,
  },
  {
    checks: ['container-ephemeral-storage-request-and-limit'],
    reason: 'Containers write only logs, which the kubelet rotates',
  },
  {
    checks: ['deployment-has-host-podantiaffinity'],
    reason: 'Replicas are spread by topologySpreadConstraints',
  },
  {
    checks: ['deployment-replicas', 'deployment-strategy'],
    object: REDIS,
    reason: 'Redis holds copies of data only, and two replicas would hold different data',
  },
  {
    checks: ['deployment-replicas', 'deployment-strategy'],
    object: SIMULATOR,
    reason: 'Only one process may have the simulator’s book open',
  },
  {
    checks: ['deployment-replicas'],
    shape: /local/,
    reason: 'One replica of each service is enough on a development machine',
  },
  {
    checks: ['CKV_K8S_40', 'container-security-context-user-group-id'],
    object: REDIS,
    reason: 'Redis runs as the user of its image, 999; values may set another',
  },
  {
    checks: ['CKV_K8S_40', 'container-security-context-user-group-id'],
    shape: /adapted|openshift/,
    reason: 'The platform selects the user (OpenShift: an arbitrary one above 10,000)',
  },
  {
    checks: ['CKV_K8S_8', 'CKV_K8S_9'],
    object: REDIS,
    reason:
      'A probe of the exporter would restart Redis’ pod or remove it from the Service; without it only metrics are missing',
  },
  {
    checks: [
      'CKV_K8S_8',
      'CKV_K8S_22',
      'container-security-context-readonlyrootfilesystem',
      'pod-probes',
    ],
    shape: /-dev$/,
    reason: 'Skaffold writes changed files into the container, and Node.js restarts the service',
  },
  {
    checks: ['networkpolicy-targets-pod'],
    object: PODS_OF_OTHERS,
    reason:
      'The database’s pods are not rendered, nor those of `helm test` into the manifests of k8s',
  },
  {
    checks: ['CKV_K8S_8', 'CKV_K8S_9'],
    object: TEST_POD,
    reason: 'The pod of `helm test` is a client that runs to its end',
  },
  {
    checks: ['pod-networkpolicy'],
    object: TEST_POD,
    reason:
      'Only the platform denies all traffic of its namespace, and it has a policy for the pods of `helm test`',
  },
  {
    checks: ['pod-networkpolicy'],
    shape: /minimal|secrets|redis-exporter|without-policy/,
    reason: 'The values disable the NetworkPolicy',
  },
  {
    checks: ['deployment-has-poddisruptionbudget'],
    shape: /minimal/,
    reason: 'The values disable the PodDisruptionBudget',
  },
]
