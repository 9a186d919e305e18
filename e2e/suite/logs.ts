import { leaks, type Secrets } from '../../packages/testing/src/leaks.ts'
import { check } from '../checks.ts'
import { eventually, type Namespace, type Resource } from '../cluster.ts'
import { observed } from './http.ts'
import { startNodePod } from './node-pod.ts'

/** No log of any pod (services, databases, Redis, jobs) contains a secret, a phone number or an email. */

/** Patterns of values that must not be logged. */
const PATTERNS: Record<string, RegExp> = {
  'a token': /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/,
  'a password hash': /\$2[aby]\$\d\d\$[./\w]{20,}/,
  'a phone': /\+256\d{9}/,
  'an email': /[\w.+-]+@example\.com/,
  'a webhook secret': /whsec_[\w+/=]{10,}/,
  'a private key': /PRIVATE KEY|"d":"[\w-]{20,}"/,
}

export async function checkLogs(namespace: Namespace): Promise<void> {
  await check(
    `no log of ${namespace.name} contains a secret, a phone number or an email`,
    async () => {
      const known = await secretsIn(namespace)
      const { lines, found } = await search(namespace, await namespace.list('pod'), known)
      if (found.length > 0) throw new Error(found.join('\n'))
      if (lines < MIN_LINES) throw new Error(`only ${lines} lines were read`)
      return `${lines} lines, ${Object.values(known).flat().length} secrets`
    },
  )
  await check(`the check detects leaks in a log of ${namespace.name}`, () =>
    detectsLeaks(namespace),
  )
}

/** Fewer lines indicate that the logs were not read. */
const MIN_LINES = 100
const LOG_LIMIT_MS = 60_000

async function search(namespace: Namespace, pods: readonly Resource[], known: Secrets) {
  let lines = 0
  const found = new Set<string>()
  for (const pod of pods.filter(({ status }) => status.phase !== 'Pending')) {
    for (const text of await logsOf(namespace, pod)) {
      lines += text.split('\n').length
      for (const leak of leaksIn(text, known)) found.add(`${nameOf(pod)}: ${leak}`)
    }
  }
  return { lines, found: [...found] }
}

/** The logs of all containers, including those before a restart. */
async function logsOf(namespace: Namespace, pod: Resource): Promise<string[]> {
  const args = ['logs', nameOf(pod), '--all-containers', '--tail=-1']
  const current = namespace.kubectl(args, { timeoutMs: LOG_LIMIT_MS })
  const restarted = (pod.status.containerStatuses as { name: string; restartCount: number }[])
    .filter(({ restartCount }) => restartCount > 0)
    .map(({ name }) => ['logs', nameOf(pod), `--container=${name}`, '--previous', '--tail=-1'])
  // Previous logs may already be deleted.
  const previous = restarted.map((each) => namespace.kubectl(each).catch(() => ''))
  return Promise.all([current, ...previous])
}

/** Verifies the search itself with a pod that logs secrets in several encodings. */
async function detectsLeaks(namespace: Namespace): Promise<string> {
  const name = 'leaking-pod'
  const known = await secretsIn(namespace)
  const first = (kind: string) => known[kind]?.[0] ?? ''
  const phone = first('phone').replace('+256', '0')
  const lines = [
    Buffer.from(first('password')).toString('base64'),
    JSON.stringify({ body: JSON.stringify({ phone }) }),
    `postgresql://auth:${encodeURIComponent(first('secret of the cluster'))}@auth-db/auth`,
  ]
  const program = `process.stdout.write(${JSON.stringify(`${lines.join('\n')}\n`)}); setInterval(() => {}, 1000)`
  try {
    await startNodePod(namespace, { name, labels: { app: name }, program })
    return await eventually('leaks in the log', async () => {
      const pods = (await namespace.list('pod')).filter((pod) => nameOf(pod) === name)
      const { found } = await search(namespace, pods, known)
      const kinds = ['password', 'phone', 'secret of the cluster']
      const missed = kinds.filter((kind) => !found.some((at) => at.startsWith(`${name}: ${kind}`)))
      if (missed.length > 0) throw new Error(`not detected: ${missed.join(', ')}`)
      return kinds.join(', ')
    })
  } finally {
    await namespace.kubectl(['delete', 'pod', name, '--ignore-not-found', '--wait=false'])
  }
}

/** Sensitive values: those observed on the wire, and those in the namespace's Secrets. */
export async function secretsIn(namespace: Namespace): Promise<Secrets> {
  const stored = (await namespace.list('secret'))
    .filter(({ type }) => !type?.startsWith('helm.sh/'))
    .flatMap(({ data }) => Object.entries(data ?? {}))
    .filter(([key]) => SECRET_KEY.test(key))
    .flatMap(([, value]) => secretsOf(Buffer.from(value, 'base64').toString()))
  const { passwords, tokens, phones, emails } = observed
  return {
    password: longEnough(passwords),
    token: longEnough(tokens),
    phone: longEnough(phones),
    email: longEnough(emails),
    'secret of the cluster': stored,
  }
}

/** Shorter values were sent as invalid input and may appear anywhere by coincidence. */
const longEnough = (values: Set<string>) =>
  [...values].filter(({ length }) => length >= MIN_LENGTH.observed)
const MIN_LENGTH = { observed: 8, stored: 16 }

/** Keys of Secrets with sensitive values; certificates and user names are not sensitive. */
const SECRET_KEY = /password|secret|token|webhooks|\.key$|jwk|pem$/i

/** The secrets in a value: lines of a PEM key, or the values of `provider=secret`. */
function secretsOf(value: string): string[] {
  return value
    .split('\n')
    .map((line) => line.trim().replace(/^[\w-]+=(?=\S{16})/, ''))
    .filter((line) => line.length >= MIN_LENGTH.stored && !line.startsWith('-----'))
}

/** Descriptions of the sensitive values found in a log, without the values. */
export function leaksIn(text: string, known: Secrets): string[] {
  const matches = Object.entries(PATTERNS).flatMap(([kind, pattern]) => {
    const at = text.search(pattern)
    if (at < 0) return []
    const start = text.lastIndexOf('\n', at) + 1
    return [`${kind} in a line that starts with ${text.slice(start, Math.min(at, start + 60))}`]
  })
  return [...matches, ...leaks(text, known)]
}

const nameOf = ({ metadata }: Resource) => metadata.name
