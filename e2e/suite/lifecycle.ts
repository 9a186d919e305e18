import { check } from '../checks.ts'
import type { Values } from '../helm.ts'
import { bodyOf, createPayment, login } from './http.ts'
import { registerMerchant } from './merchant.ts'
import { type Platform, RELEASE, SERVICES } from './platform.ts'

/** The life cycle of a release: changed settings, invalid values, a failed upgrade, uninstall and reinstall. */

const CHANGED = { auth: { logLevel: 'debug' }, payments: { logLevel: 'debug' } }

export async function checkChangedSetting(platform: Platform): Promise<void> {
  await check(
    `${platform.helm.name}: a changed setting rolls all pods and keeps the secrets`,
    async () => {
      const [pods, secrets] = [await allPods(platform), await secretsOf(platform)]
      await platform.deploy(CHANGED)
      const unchanged = (await allPods(platform)).filter((pod) => pods.includes(pod))
      if (unchanged.length > 0) throw new Error(`not replaced: ${unchanged.join(', ')}`)
      assertEqual('secrets', secrets, await secretsOf(platform))
    },
  )
}

const INVALID_VALUES: readonly (readonly [description: string, values: Values, message: RegExp])[] =
  [
    ['a misspelled value', { auth: { replcas: 3 } }, /replcas/],
    ['a misspelled group', { payments: { databse: { instances: 3 } } }, /databse/],
    ['a misspelled value of the platform', { edge: { hots: ['a.test'] } }, /hots/],
    ['a string for a number', { payments: { replicas: 'two' } }, /replicas/],
    ['a number for a string', { redis: { maxMemory: 64 } }, /maxMemory/],
    ['a duration with a unit', { payments: { tokenCache: { ttlMs: '60s' } } }, /ttlMs/],
    ['an unknown database kind', { auth: { database: { kind: 'mysql' } } }, /kind/],
    ['an unknown edge kind', { edge: { kind: 'nginx' } }, /kind/],
  ]

export async function checkInvalidValues(platform: Platform): Promise<void> {
  for (const [description, values, message] of INVALID_VALUES) {
    await check(`${platform.helm.name}: rejects ${description}`, async () => {
      const output = await platform.deploy(values).then(
        () => 'the upgrade succeeded',
        (error: unknown) => String(error),
      )
      if (!message.test(output) || !/schema|values don't meet/i.test(output))
        throw new Error(output)
    })
  }
}

const ROLLBACK_TIMEOUT_S = 20

export async function checkBrokenImage(platform: Platform): Promise<void> {
  const { client, helm, namespace } = platform
  await check(`${helm.name}: ${helm.rollbackFlag} rolls back a broken image`, async () => {
    const pods = await allPods(platform)
    const broken = { ...CHANGED, payments: { ...CHANGED.payments, image: { tag: 'no-such-tag' } } }
    const flags = [helm.rollbackFlag, '--timeout', `${ROLLBACK_TIMEOUT_S}s`]
    const fails = platform.deploy(broken, flags).then(
      () => false,
      () => true,
    )
    if (!(await fails)) throw new Error('the upgrade succeeded')
    assertEqual('release status', 'deployed', await helm.status(namespace, RELEASE))
    await namespace.kubectl([
      'rollout',
      'status',
      `deployment/${RELEASE}-payments`,
      '--timeout=60s',
    ])
    assertEqual('pods', pods, await allPods(platform))
    await createPayment(client, await login(client, await registerMerchant(platform)))
  })
}

/** Uninstalls and reinstalls the release: data and secrets must persist. */
export async function checkReinstall(platform: Platform): Promise<void> {
  const { client, helm, namespace } = platform
  await check(`${helm.name}: a reinstall keeps data and secrets`, async () => {
    const account = await registerMerchant(platform)
    const reference = await createPayment(client, await login(client, account))
    const secrets = await secretsOf(platform)
    await helm.uninstall(namespace, RELEASE)
    assertEqual('secrets', secrets, await secretsOf(platform))
    const clusters = await namespace.list('cluster')
    assertEqual('clusters', 2, clusters.length)
    for (const kind of [
      'deployment',
      'ingress',
      'configmap',
      'poddisruptionbudget',
      'networkpolicy',
    ]) {
      const remaining = await namespace.list(kind, `app.kubernetes.io/instance=${RELEASE}`)
      assertEqual(kind, 0, remaining.length)
    }
    await platform.deploy()
    assertEqual('secrets', secrets, await secretsOf(platform))
    const token = await login(client, account)
    bodyOf(await client({ path: `/api/payments/${reference}`, token }), 200)
  })
}

async function allPods(platform: Platform): Promise<string[]> {
  const pods = await Promise.all(SERVICES.map((service) => platform.pods(service)))
  return pods.flat().toSorted()
}

/** All values of all Secrets that the charts generate, for comparison. */
async function secretsOf({ namespace }: Platform): Promise<string> {
  const secrets = await namespace.list('secret', 'app.kubernetes.io/part-of=malipo')
  const generated = secrets.filter(
    ({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep',
  )
  if (generated.length < 5) throw new Error(`only ${generated.length} generated Secrets`)
  return generated
    .map(({ metadata, data }) => `${metadata.name} ${JSON.stringify(data)}`)
    .toSorted()
    .join('\n')
}

function assertEqual(name: string, expected: unknown, actual: unknown): void {
  const [a, b] = [JSON.stringify(expected), JSON.stringify(actual)]
  if (a !== b) throw new Error(`${name}: ${b} instead of ${a}`)
}
