import { leaks, type Secrets } from '../../packages/testing/src/leaks.ts'
import { check } from '../checks.ts'
import { eventually, type Namespace, type Resource } from '../cluster.ts'
import { seen } from './http.ts'
import { startNodePod } from './node-pod.ts'

/** No log of any pod tells a secret or whose phone or email it is: services, databases, Redis, jobs. */

/** What is told by its looks, whoever wrote it. */
const SHAPES: Record<string, RegExp> = {
  'a token': /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/,
  'a hash of a password': /\$2[aby]\$\d\d\$[./\w]{20,}/,
  'a phone': /\+256\d{9}/,
  'an email': /[\w.+-]+@example\.com/,
  'a secret of webhooks': /whsec_[\w+/=]{10,}/,
  'a private key': /PRIVATE KEY|"d":"[\w-]{20,}"/,
}

export async function checkLogs(namespace: Namespace): Promise<void> {
  await check(`no log of ${namespace.name} tells a secret, a phone or an email`, async () => {
    const known = await secretsIn(namespace)
    const { lines, found } = await search(namespace, await namespace.list('pod'), known)
    if (found.length > 0) throw new Error(found.join('\n'))
    if (lines < MANY) throw new Error(`only ${lines} lines were found`)
    return `${lines} lines, ${Object.values(known).flat().length} secrets`
  })
  await check(`a pod of ${namespace.name} that told them would be found`, () => told(namespace))
}

/** Less than that says that the logs were not read. */
const MANY = 100
const LOG_LIMIT_MS = 60_000

async function search(namespace: Namespace, pods: readonly Resource[], known: Secrets) {
  let lines = 0
  const found = new Set<string>()
  for (const pod of pods.filter(({ status }) => status.phase !== 'Pending')) {
    for (const text of await logsOf(namespace, pod)) {
      lines += text.split('\n').length
      for (const what of toldIn(text, known)) found.add(`${nameOf(pod)}: ${what}`)
    }
  }
  return { lines, found: [...found] }
}

/** The logs of all containers, and of those before them where one began anew. */
async function logsOf(namespace: Namespace, pod: Resource): Promise<string[]> {
  const args = ['logs', nameOf(pod), '--all-containers', '--tail=-1']
  const now = namespace.kubectl(args, { timeoutMs: LOG_LIMIT_MS })
  const restarted = (pod.status.containerStatuses as { name: string; restartCount: number }[])
    .filter(({ restartCount }) => restartCount > 0)
    .map(({ name }) => ['logs', nameOf(pod), `--container=${name}`, '--previous', '--tail=-1'])
  // What was there before may be forgotten already.
  const before = restarted.map((each) => namespace.kubectl(each).catch(() => ''))
  return Promise.all([now, ...before])
}

/** Who looks for what is not there must be able to find it. */
async function told(namespace: Namespace): Promise<string> {
  const name = 'telltale'
  const known = await secretsIn(namespace)
  const first = (what: string) => known[what]?.[0] ?? ''
  const phone = first('phone').replace('+256', '0')
  const lines = [
    Buffer.from(first('password')).toString('base64'),
    JSON.stringify({ body: JSON.stringify({ phone }) }),
    `postgresql://auth:${encodeURIComponent(first('secret of the cluster'))}@auth-db/auth`,
  ]
  const program = `process.stdout.write(${JSON.stringify(`${lines.join('\n')}\n`)}); setInterval(() => {}, 1000)`
  try {
    await startNodePod(namespace, { name, labels: { app: name }, program })
    return await eventually('what the pod tells', async () => {
      const pods = (await namespace.list('pod')).filter((pod) => nameOf(pod) === name)
      const { found } = await search(namespace, pods, known)
      const kinds = ['password', 'phone', 'secret of the cluster']
      const missed = kinds.filter((kind) => !found.some((at) => at.startsWith(`${name}: ${kind}`)))
      if (missed.length > 0) throw new Error(`no ${missed.join(', no ')} is found`)
      return kinds.join(', ')
    })
  } finally {
    await namespace.kubectl(['delete', 'pod', name, '--ignore-not-found', '--wait=false'])
  }
}

/** What nobody may read: what went over the wire, and what the namespace's Secrets hold. */
export async function secretsIn(namespace: Namespace): Promise<Secrets> {
  const held = (await namespace.list('secret'))
    .filter(({ type }) => !type?.startsWith('helm.sh/'))
    .flatMap(({ data }) => Object.entries(data ?? {}))
    .filter(([key]) => SECRET_KEY.test(key))
    .flatMap(([, value]) => secretsOf(Buffer.from(value, 'base64').toString()))
  const { passwords, tokens, phones, emails } = seen
  return {
    password: longOf(passwords),
    token: longOf(tokens),
    phone: longOf(phones),
    email: longOf(emails),
    'secret of the cluster': held,
  }
}

/** Shorter ones were sent to be refused, and stand anywhere by chance. */
const longOf = (values: Set<string>) => [...values].filter(({ length }) => length >= LEAST.seen)
const LEAST = { seen: 8, held: 16 }

/** Certificates are no secrets, and who a user is neither. */
const SECRET_KEY = /password|secret|token|webhooks|\.key$|jwk|pem$/i

/** Lines of a key in PEM, or of `provider=secret`. */
function secretsOf(value: string): string[] {
  return value
    .split('\n')
    .map((line) => line.trim().replace(/^[\w-]+=(?=\S{16})/, ''))
    .filter((line) => line.length >= LEAST.held && !line.startsWith('-----'))
}

/** What a text tells that it should not; the text itself is not repeated. */
export function toldIn(text: string, known: Secrets): string[] {
  const shapes = Object.entries(SHAPES).flatMap(([what, shape]) => {
    const at = text.search(shape)
    if (at < 0) return []
    const begin = text.lastIndexOf('\n', at) + 1
    return [`${what} in a line that begins ${text.slice(begin, Math.min(at, begin + 60))}`]
  })
  return [...shapes, ...leaks(text, known)]
}

const nameOf = ({ metadata }: Resource) => metadata.name
