import { check } from '../checks.ts'
import type { Values } from '../helm.ts'
import { bodyOf, pay, register, tokenOf } from './http.ts'
import { type Platform, RELEASE, SERVICES } from './platform.ts'

/** What is done to a release in its life: settings changed, well and badly, and taken away and put back. */

const CHANGED = { auth: { logLevel: 'debug' }, payments: { logLevel: 'debug' } }

export async function checkSetting(platform: Platform): Promise<void> {
  await check(
    `${platform.helm.name}: a changed setting is new pods, and no new secret`,
    async () => {
      const [pods, secrets] = [await allPods(platform), await secretsOf(platform)]
      await platform.deploy(CHANGED)
      const stayed = (await allPods(platform)).filter((pod) => pods.includes(pod))
      if (stayed.length > 0) throw new Error(`${stayed.join(', ')} stayed`)
      mustEqual('secrets', secrets, await secretsOf(platform))
    },
  )
}

const MISTAKES: readonly (readonly [what: string, values: Values, said: RegExp])[] = [
  ['a misspelled value', { auth: { replcas: 3 } }, /replcas/],
  ['a misspelled group', { payments: { databse: { instances: 3 } } }, /databse/],
  ['a misspelled value of the platform', { edge: { hots: ['a.test'] } }, /hots/],
  ['words for a number', { payments: { replicas: 'two' } }, /replicas/],
  ['a number for words', { redis: { maxMemory: 64 } }, /maxMemory/],
  ['a time with a unit', { payments: { tokenCache: { ttlMs: '60s' } } }, /ttlMs/],
  ['a word that is none of a few', { auth: { database: { kind: 'mysql' } } }, /kind/],
  ['an edge that is none', { edge: { kind: 'nginx' } }, /kind/],
]

export async function checkMistakes(platform: Platform): Promise<void> {
  for (const [what, values, said] of MISTAKES) {
    await check(`${platform.helm.name}: ${what} is refused`, async () => {
      const refusal = await platform.deploy(values).then(
        () => 'nothing was said',
        (error: unknown) => String(error),
      )
      if (!said.test(refusal) || !/schema|values don't meet/i.test(refusal))
        throw new Error(refusal)
    })
  }
}

const UNDO_WITHIN_S = 20

export async function checkBrokenImage(platform: Platform): Promise<void> {
  const { client, helm, namespace } = platform
  await check(`${helm.name}: a broken image is undone by ${helm.undoes}`, async () => {
    const pods = await allPods(platform)
    const broken = { ...CHANGED, payments: { ...CHANGED.payments, image: { tag: 'no-such-tag' } } }
    const flags = [helm.undoes, '--timeout', `${UNDO_WITHIN_S}s`]
    const fails = platform.deploy(broken, flags).then(
      () => false,
      () => true,
    )
    if (!(await fails)) throw new Error('the upgrade went through')
    mustEqual('the release', 'deployed', await helm.status(namespace, RELEASE))
    await namespace.kubectl([
      'rollout',
      'status',
      `deployment/${RELEASE}-payments`,
      '--timeout=60s',
    ])
    mustEqual('pods', pods, await allPods(platform))
    await pay(client, await tokenOf(client, await register(client)))
  })
}

/** Uninstalls the release and installs it again: its data and secrets are still there. */
export async function checkKept(platform: Platform): Promise<void> {
  const { client, helm, namespace } = platform
  await check(
    `${helm.name}: what an uninstall leaves is taken over by the next install`,
    async () => {
      const account = await register(client)
      const reference = await pay(client, await tokenOf(client, account))
      const secrets = await secretsOf(platform)
      await helm.uninstall(namespace, RELEASE)
      mustEqual('secrets', secrets, await secretsOf(platform))
      const clusters = await namespace.list('cluster')
      mustEqual('clusters', 2, clusters.length)
      for (const kind of [
        'deployment',
        'ingress',
        'configmap',
        'poddisruptionbudget',
        'networkpolicy',
      ]) {
        const left = await namespace.list(kind, `app.kubernetes.io/instance=${RELEASE}`)
        mustEqual(kind, 0, left.length)
      }
      await platform.deploy()
      mustEqual('secrets', secrets, await secretsOf(platform))
      const token = await tokenOf(client, account)
      bodyOf(await client({ path: `/api/payments/${reference}`, token }), 200)
    },
  )
}

async function allPods(platform: Platform): Promise<string[]> {
  const pods = await Promise.all(SERVICES.map((service) => platform.pods(service)))
  return pods.flat().toSorted()
}

/** Every value of every Secret that the charts make, to compare. */
async function secretsOf({ namespace }: Platform): Promise<string> {
  const secrets = await namespace.list('secret', 'app.kubernetes.io/part-of=malipo')
  const own = secrets.filter(
    ({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep',
  )
  if (own.length < 5) throw new Error(`only ${own.length} Secrets are there`)
  return own
    .map(({ metadata, data }) => `${metadata.name} ${JSON.stringify(data)}`)
    .toSorted()
    .join('\n')
}

function mustEqual(what: string, expected: unknown, found: unknown): void {
  const [a, b] = [JSON.stringify(expected), JSON.stringify(found)]
  if (a !== b) throw new Error(`${what}: ${b} instead of ${a}`)
}
